//! Forgets what a sink took long ago: the effect and its inbox row, in one statement. Invariant: an event of which something
//! is still to be done, or that the webhook's receiver refused, keeps both.
//!
//! Pages go by id from the lowest, and a round ends at the first page that has a young row: it needs no index of its own.
//! An event that is redelivered after it was forgotten is new to the notifier, so the retention must be longer than anybody
//! may send it again.

use std::time::Duration;

use chassis::{
    clock::Clock,
    postgres::{DatabaseConnection, StoreError},
    retention::{self, Page, PageStatement},
    sql,
    tasks::Tasks,
};
use chrono::{DateTime, Utc};

pub(crate) static FORGET: PageStatement = sql!("forget.sql");

/// Forgets, of at most `most` effects behind id `after`, those that a sink took before `before`.
///
/// # Errors
/// [`StoreError`]; nothing is forgotten then.
pub async fn forget(
    db: &DatabaseConnection,
    before: DateTime<Utc>,
    after: i64,
    most: u32,
) -> Result<Page, StoreError> {
    retention::page(db, &FORGET, before, after, most).await
}

/// Forgets at intervals, until the tasks' token; with a retention of 0 everything stays.
pub(crate) fn start(db: DatabaseConnection, clock: Clock, keep: Duration, tasks: &Tasks) {
    if keep.is_zero() {
        return;
    }
    retention::start_pages("inbox", tasks, move |after| {
        let (db, clock) = (db.clone(), clock.clone());
        async move {
            let before = retention::cutoff(&db, &clock, keep).await?;
            forget(&db, before, after, retention::BATCH).await
        }
    });
}
