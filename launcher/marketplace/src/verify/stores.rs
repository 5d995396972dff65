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

use super::Finding;
use crate::settings::Settings;

/// Open databases and the broker's address, and what is needed to judge what they hold.
#[derive(Debug)]
pub(super) struct Stores {
    pub(super) loms: DatabaseConnection,
    pub(super) notifier: DatabaseConnection,
    pub(super) kafka: chassis::kafka::Config,
    /// How long the notifier keeps an effect; 0: for ever.
    pub(super) effects_kept: Duration,
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
            settings.kafka.brokers = format!("127.0.0.1:{}", settings.up.kafka_port);
        }
        let connect = |database| postgres::connect_for_reports(&settings.postgres, database);
        Ok(Self {
            loms: connect("loms").await?,
            notifier: connect(&settings.notifier.database).await?,
            kafka: settings.kafka.clone(),
            effects_kept: settings.notifier.retention,
        })
    }

    pub(super) async fn close(self) {
        for db in [self.loms, self.notifier] {
            // The process ends anyway.
            drop(db.close().await);
        }
    }
}
