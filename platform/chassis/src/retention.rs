//! The one loop that removes what is past its time: batch after batch until nothing is left, then a long pause.
//!
//! Batches are small, so that no lock is held for long, and between two of them there is a short pause, so that they
//! come between other work and not before it. Nothing bounds the number of batches: the loop keeps up with any rate at
//! which rows grow old that the database keeps up with.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use prometheus::{IntCounterVec, register_int_counter_vec};
use sea_orm::{DatabaseConnection, DbErr};

use crate::{
    clock::Clock,
    fault,
    postgres::{self, StoreError, sql::Sql, within},
    row,
    tasks::Tasks,
};

/// How often old rows are looked for.
pub const INTERVAL: Duration = Duration::from_mins(10);
/// Rows of one statement.
pub const BATCH: u32 = 1_000;
/// Between two batches.
const BREATH: Duration = Duration::from_millis(20);

static REMOVED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_retention_rows_total",
        "Rows that left their table at the end of their retention, by table",
        &["table"]
    )
    .expect("the name is registered once")
});

/// What one batch did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Rows that left.
    pub removed: u64,
    /// Whether there may be more that are past their time.
    pub more: bool,
}

impl Batch {
    /// A batch of a statement that takes at most [`BATCH`] rows: there may be more if it found as many.
    #[must_use]
    pub fn of(removed: u64) -> Self {
        Self {
            removed,
            more: removed >= u64::from(BATCH),
        }
    }
}

/// What one page of a table had, where pages go by id from the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows that left.
    pub removed: u64,
    /// Behind which id to go on; none when the next rows are too young, or there are none.
    pub next: Option<i64>,
}

row! {
    /// What the statement of one page gives.
    pub struct PageRow {
        /// Rows that left.
        pub removed: i64,
        /// Rows that the page had.
        pub seen: i64,
        /// The last id of these, 0 for none.
        pub last: i64,
        /// Whether the page had a row that is too young.
        pub reached_young: bool,
    }
}

/// The statement of one page: its `$1` is the moment before which rows are past their time, and it looks at the first `$3`
/// rows behind id `$2`.
pub type PageStatement = Sql<(DateTime<Utc>, i64, i64), PageRow>;

/// Removes, of the first `limit` rows behind id `after`, those from before `before`.
///
/// # Errors
/// [`StoreError`]; nothing was removed then.
pub async fn page(
    db: &DatabaseConnection,
    statement: &PageStatement,
    before: DateTime<Utc>,
    after: i64,
    limit: u32,
) -> Result<Page, StoreError> {
    let limit = i64::from(limit);
    let row = within(db, statement.one(db, (before, after, limit))).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the counts of a page".to_owned()))?;
    let ends = row.seen < limit || row.reached_young;
    Ok(Page {
        removed: row.removed.unsigned_abs(),
        next: (!ends).then_some(row.last),
    })
}

/// Like [`start`], page by page: each begins behind the id that the page before it gave, and each round at the lowest id. So
/// rows that stay for good are passed over once a round, and no index is needed that tells the old rows.
pub fn start_pages<F, P>(table: &'static str, tasks: &Tasks, page: P)
where
    F: Future<Output = Result<Page, StoreError>> + Send + 'static,
    P: Fn(i64) -> F + Send + Sync + 'static,
{
    let after = Arc::new(AtomicI64::new(0));
    start(table, tasks, move || {
        // A round that failed begins anew, too.
        let page = page(after.swap(0, Ordering::Relaxed));
        let after = after.clone();
        async move {
            let Page { removed, next } = page.await?;
            after.store(next.unwrap_or(0), Ordering::Relaxed);
            let more = next.is_some();
            Ok(Batch { removed, more })
        }
    });
}

/// Runs `batch` until it says that nothing is left, at the start and every [`INTERVAL`], until the tasks' token. A fault
/// ends the round; the next one tries again. `table` names what is removed, in the metric and in the log.
pub fn start<F, B>(table: &'static str, tasks: &Tasks, batch: B)
where
    F: Future<Output = Result<Batch, StoreError>> + Send + 'static,
    B: Fn() -> F + Send + Sync + 'static,
{
    REMOVED.with_label_values(&[table]).inc_by(0);
    let token = tasks.token();
    tasks.spawn("retention", async move {
        let rounds = async {
            loop {
                round(table, &batch).await;
                tokio::time::sleep(INTERVAL).await;
            }
        };
        // Dropping a statement loses nothing: the next round finds the same rows.
        token.run_until_cancelled(rounds).await;
    });
}

async fn round<F, B>(table: &'static str, batch: &B)
where
    F: Future<Output = Result<Batch, StoreError>>,
    B: Fn() -> F,
{
    loop {
        match batch().await {
            Ok(done) => {
                REMOVED.with_label_values(&[table]).inc_by(done.removed);
                if !done.more {
                    return;
                }
            }
            Err(error) => {
                let error = fault::chain(&error);
                tracing::warn!(table, %error, "rows past their retention stay");
                return;
            }
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// The moment before which things are past a retention, by the server's clock: a machine whose own is wrong removes nothing
/// before its time.
///
/// # Errors
/// When the server does not answer.
pub async fn cutoff(
    db: &DatabaseConnection,
    clock: &Clock,
    retention: Duration,
) -> Result<DateTime<Utc>, StoreError> {
    let retention = TimeDelta::from_std(retention).unwrap_or(TimeDelta::MAX);
    let now = postgres::server_now(db, clock).await?;
    let cutoff = now.checked_sub_signed(retention);
    Ok(cutoff.unwrap_or(DateTime::<Utc>::MIN_UTC))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn a_round_ends_when_nothing_is_left_and_not_before() {
        let left = Arc::new(AtomicU64::new(20 * u64::from(BATCH) + 1));
        let rows = left.clone();
        let batch = move || {
            let rows = rows.clone();
            async move {
                let removed = rows.load(Ordering::Relaxed).min(u64::from(BATCH));
                rows.fetch_sub(removed, Ordering::Relaxed);
                Ok(Batch::of(removed))
            }
        };
        round("rows of a test", &batch).await;
        assert_eq!(left.load(Ordering::Relaxed), 0);
    }
}
