//! Forgets what nobody may ask for any more: checkouts that ended and answers under idempotency keys, 30 days after.
//!
//! A checkout that is still open stays, however old: it may have made an order. So does one that a younger key names.

use std::time::Duration;

use chassis::{clock::Clock, postgres::StoreError, tasks::Tasks};
use chrono::{DateTime, TimeDelta, Utc};

use crate::{cart::store::PostgresCarts, metrics};

/// How often old rows are looked for.
const INTERVAL: Duration = Duration::from_hours(1);
/// Rows of one transaction, so that no lock is held for long.
const BATCH: u32 = 500;

/// Forgets at the start and every hour, in `tasks` until it is cancelled.
pub fn start(carts: PostgresCarts, clock: Clock, tasks: &Tasks) {
    let stop = tasks.token();
    tasks.spawn("cart: retention", async move {
        loop {
            tokio::select! {
                () = round(&carts, &clock) => {}
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = stop.cancelled() => return,
            }
        }
    });
}

async fn round(carts: &PostgresCarts, clock: &Clock) {
    if let Err(error) = forget(carts, end_of_retention(clock.now())).await {
        tracing::warn!(error = %chassis::fault::chain(&error), "old checkouts and keys stay");
    }
}

/// Batch by batch until nothing is left that is older.
async fn forget(carts: &PostgresCarts, before: DateTime<Utc>) -> Result<(), StoreError> {
    loop {
        let (checkouts, changes) = carts.forget_before(before, BATCH).await?;
        metrics::forgotten("checkouts", checkouts);
        metrics::forgotten("cart_changes", changes);
        if checkouts.max(changes) < u64::from(BATCH) {
            return Ok(());
        }
    }
}

fn end_of_retention(now: DateTime<Utc>) -> DateTime<Utc> {
    let retention = TimeDelta::from_std(idempotency::RETENTION).expect("30 days fit");
    now.checked_sub_signed(retention)
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}
