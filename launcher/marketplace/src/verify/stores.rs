//! Where the marketplace keeps what it must not lose: the settings' stores, or those that `up` started here.

use std::time::Duration;

use anyhow::Context as _;
use chassis::postgres::{self, DatabaseConnection};
use sea_orm::{ConnectionTrait as _, DbBackend, FromQueryResult, Statement};

use super::{EXAMPLES, Finding};
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

#[derive(FromQueryResult)]
struct Wrong {
    wrong: String,
    all_wrong: i64,
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

/// Checks a promise about rows: `count` counts the rows, `wrong` selects a sentence for each row that breaks it.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn ask(
    db: &DatabaseConnection,
    id: &'static str,
    promise: &'static str,
    count: &str,
    wrong: &str,
) -> anyhow::Result<Finding> {
    let counted = Statement::from_string(DbBackend::Postgres, count);
    let counted = db.query_one_raw(counted).await.context("the database")?;
    let checked: i64 = counted.context("a count has a row")?.try_get_by_index(0)?;
    let sql = format!(
        "select wrong, count(*) over () as all_wrong from ({wrong}) as broken (wrong) limit {EXAMPLES}"
    );
    let rows = db
        .query_all_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await
        .with_context(|| format!("promise {id}"))?;
    let mut examples = Vec::with_capacity(rows.len());
    let mut broken = 0;
    for row in &rows {
        let row = Wrong::from_query_result(row, "")?;
        broken = u64::try_from(row.all_wrong).unwrap_or(u64::MAX);
        examples.push(row.wrong);
    }
    Ok(Finding {
        id,
        promise,
        checked: u64::try_from(checked).unwrap_or(0),
        broken,
        examples,
    })
}
