//! Where the marketplace keeps what it must not lose: the settings' stores, or those that `up` started here.

use std::time::Duration;

use anyhow::Context as _;
use chassis::{
    postgres::{
        self, DatabaseConnection,
        sql::{Parameters, Sql},
    },
    row,
};

use dev_services::kafka::cluster;

use super::Finding;
use crate::settings::Settings;

/// Open databases and the broker's address, and what is needed to judge what they hold.
#[derive(Debug)]
pub(super) struct Stores {
    pub(super) loms: DatabaseConnection,
    pub(super) notifier: DatabaseConnection,
    pub(super) cart: DatabaseConnection,
    /// The comments' shards, by index.
    pub(super) comments: Vec<DatabaseConnection>,
    pub(super) kafka: chassis::kafka::Config,
    /// How long the notifier keeps an effect; 0: for ever.
    pub(super) effects_kept: Duration,
    /// Whether unpaid orders have an end.
    pub(super) orders_expire: bool,
}

row! {
    /// What a promise's statement gives: how many rows it looked at, how many break the promise, and the first of these.
    pub(super) struct FindingRow {
        checked: i64,
        broken: i64,
        examples: Vec<String>,
    }
}

/// A promise about rows: its statement counts them and describes those that break it.
pub(super) struct Promise<P = ()> {
    pub(super) id: &'static str,
    pub(super) promise: &'static str,
    pub(super) sql: Sql<P, FindingRow>,
}

impl<P: Parameters> Promise<P> {
    /// Asks the database, with one statement and so of one moment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn check(
        &self,
        db: &DatabaseConnection,
        parameters: P,
    ) -> anyhow::Result<Finding> {
        let row = self.sql.one(db, parameters).await;
        let row = row.with_context(|| format!("promise {}", self.id))?;
        let row = row.context("a count has a row")?;
        Ok(Finding {
            id: self.id,
            promise: self.promise,
            checked: row.checked.unsigned_abs(),
            broken: row.broken.unsigned_abs(),
            examples: row.examples,
        })
    }
}

impl Stores {
    /// # Errors
    /// When no server is named and none of `up` runs here.
    pub(super) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let mut settings = settings.clone();
        settings.postgres.url = super::address(&settings)?;
        if settings.kafka.brokers.is_empty() {
            let brokers = usize::from(settings.up.brokers);
            let (ports, _) = cluster::ports(settings.up.kafka_port, brokers);
            let addresses = ports.into_iter().map(|port| format!("127.0.0.1:{port}"));
            settings.kafka.brokers = addresses.collect::<Vec<_>>().join(",");
        }
        let connect = |database| postgres::connect_for_reports(&settings.postgres, database);
        let mut comments = Vec::new();
        for database in &settings.comments.databases {
            comments.push(connect(database).await?);
        }
        Ok(Self {
            cart: connect("cart").await?,
            comments,
            orders_expire: !settings.loms.order_ttl.is_zero(),
            loms: connect("loms").await?,
            notifier: connect(&settings.notifier.database).await?,
            kafka: settings.kafka.clone(),
            effects_kept: settings.notifier.retention,
        })
    }

    pub(super) async fn close(self) {
        let Self {
            loms,
            notifier,
            cart,
            comments,
            ..
        } = self;
        for db in [loms, notifier, cart].into_iter().chain(comments) {
            // The process ends anyway.
            drop(db.close().await);
        }
    }
}
