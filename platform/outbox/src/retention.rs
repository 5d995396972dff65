//! Moves events that were sent long ago from the outbox to the orders' history, so that the outbox stays as small as its
//! retention makes it; those of other topics, of which nobody asks for the history, are removed. Invariant: an unsent event never leaves, and a sent one is in exactly one of the two tables.
//!
//! Pages go by id from the lowest, and a round ends at the first page that has a young row: it needs no index of its own,
//! so that writing and sending cost what they did.

use std::time::Duration;

use chassis::{
    clock::Clock,
    postgres::StoreError,
    retention::{self, Page, PageStatement},
    sql,
    tasks::Tasks,
};
use chrono::{DateTime, Utc};
use sea_orm::DatabaseConnection;

pub(crate) static RETIRE: PageStatement = sql!("retire.sql");
pub(crate) static RETIRE_TOPICS: PageStatement = sql!("retire_topics.sql");

/// Moves, of at most `most` events behind id `after`, those that were sent before `before`.
///
/// # Errors
/// [`StoreError`]; nothing has moved then.
pub async fn retire(
    db: &DatabaseConnection,
    before: DateTime<Utc>,
    after: i64,
    most: u32,
) -> Result<Page, StoreError> {
    retention::page(db, &RETIRE, before, after, most).await
}

/// Moves and removes at intervals, until the tasks' token; with a retention of 0 everything stays.
pub(crate) fn start(db: &DatabaseConnection, clock: &Clock, keep: Duration, tasks: &Tasks) {
    if keep.is_zero() {
        return;
    }
    for (table, statement) in [("outbox", &RETIRE), ("topic_outbox", &RETIRE_TOPICS)] {
        let (db, clock) = (db.clone(), clock.clone());
        retention::start_pages(table, tasks, move |after| {
            let (db, clock) = (db.clone(), clock.clone());
            async move {
                let before = retention::cutoff(&db, &clock, keep).await?;
                retention::page(&db, statement, before, after, retention::BATCH).await
            }
        });
    }
}
