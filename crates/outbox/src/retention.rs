//! Moves events that were sent long ago from the outbox to the orders' history, so that the outbox stays as small as its
//! retention makes it. Invariant: an unsent event never leaves, and a sent one is in exactly one of the two tables.
//!
//! Pages go by id from the lowest, and a round ends at the first page that has a young row: it needs no index of its own,
//! so that writing and sending cost what they did.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chassis::{
    clock::Clock,
    postgres::StoreError,
    retention::{self, Batch},
    tasks::Tasks,
};
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, Statement};

/// What a page had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retired {
    /// Events that moved to the history.
    pub moved: u64,
    /// Behind which id to go on; none when the next rows are too young, or there are none.
    pub next: Option<i64>,
}

/// Moves, of at most `most` events behind id `after`, those that were sent before `before`.
///
/// # Errors
/// [`StoreError`]; nothing has moved then.
pub async fn retire(
    db: &DatabaseConnection,
    before: DateTime<Utc>,
    after: i64,
    most: u32,
) -> Result<Retired, StoreError> {
    let values = [before.into(), after.into(), i64::from(most).into()];
    let sql = include_str!("retire.sql");
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    let row = db.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the counts of a page".to_owned()))?;
    let moved: i64 = row.try_get("", "moved")?;
    let seen: i64 = row.try_get("", "seen")?;
    let ends = seen < i64::from(most) || row.try_get("", "reached_young")?;
    let last = row.try_get("", "last")?;
    Ok(Retired {
        moved: moved.unsigned_abs(),
        next: (!ends).then_some(last),
    })
}

/// Moves at intervals, until the tasks' token; with a retention of 0 everything stays.
pub(crate) fn start(db: DatabaseConnection, clock: Clock, keep: Duration, tasks: &Tasks) {
    if keep.is_zero() {
        return;
    }
    let after = Arc::new(AtomicI64::new(0));
    retention::start("outbox", tasks, move || {
        let (db, clock, after) = (db.clone(), clock.clone(), after.clone());
        async move {
            let before = retention::cutoff(&clock, keep);
            // A round that failed begins anew at the lowest id.
            let from = after.swap(0, Ordering::Relaxed);
            let retired = retire(&db, before, from, retention::BATCH).await?;
            after.store(retired.next.unwrap_or(0), Ordering::Relaxed);
            Ok(Batch {
                removed: retired.moved,
                more: retired.next.is_some(),
            })
        }
    });
}
