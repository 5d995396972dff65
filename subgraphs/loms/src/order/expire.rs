//! The sweeper: orders that nobody paid in time are cancelled.
//!
//! Any number of processes may sweep: rows that another one, or a payment, has locked are skipped.

use std::time::Duration;

use chassis::tasks::Tasks;
use chrono::{DateTime, TimeDelta, Utc};
use loms_domain::order::{self, Transition};
use sea_orm::TransactionTrait as _;
use tokio::time::MissedTickBehavior;

use super::{Error, Order, Orders, settle, settle::Change, store};
use crate::{metrics, retry};

/// How often old idempotency keys are removed.
const FORGET_INTERVAL: Duration = Duration::from_secs(600);
/// Keys removed with one statement.
const FORGET_BATCH: u32 = 1_000;

impl Orders {
    /// Cancels at most `batch` orders whose time to be paid is over, in one transaction, and says how many.
    ///
    /// # Errors
    /// Faults; nothing has changed then.
    pub async fn expire(&self, batch: u32) -> Result<usize, Error> {
        let expired = retry::on_conflict(|| self.try_expire(batch)).await?;
        if expired > 0 {
            metrics::expired(expired);
            self.announce();
        }
        Ok(expired)
    }

    async fn try_expire(&self, batch: u32) -> Result<usize, Error> {
        let now = self.clock.now();
        let tx = self.db.begin().await?;
        let due = store::lock_due(&tx, now, batch).await?;
        let changes: Vec<Change> = due.into_iter().filter_map(cancelled).collect();
        if !changes.is_empty() {
            settle::settle(&tx, &changes, now, None).await?;
        }
        tx.commit().await?;
        Ok(changes.len())
    }

    /// Starts the sweeper; it ends at the tasks' token. Also removes idempotency keys that are over their time.
    pub(crate) fn start_sweeper(&self, interval: Duration, batch: u32, tasks: &Tasks) {
        let (orders, token) = (self.clone(), tasks.token());
        let interval = interval.max(Duration::from_millis(10));
        tasks.spawn("order expiry", async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut forget_at = orders.clock.now();
            while token.run_until_cancelled(ticks.tick()).await.is_some() {
                orders.sweep(batch).await;
                if orders.clock.now() >= forget_at {
                    orders.forget().await;
                    forget_at = orders.clock.now() + FORGET_INTERVAL;
                }
            }
        });
    }

    /// Cancels until nothing more is due. A fault ends the round: the next tick tries again.
    async fn sweep(&self, batch: u32) {
        loop {
            match self.expire(batch).await {
                Ok(expired) if expired == usize::try_from(batch).unwrap_or(usize::MAX) => {}
                Ok(0) => return,
                Ok(expired) => {
                    tracing::info!(expired, "cancelled {expired} unpaid orders");
                    return;
                }
                Err(error) => {
                    tracing::warn!(error = %chassis::fault::chain(&error), "unpaid orders stay");
                    return;
                }
            }
        }
    }

    async fn forget(&self) {
        let before = retention_start(self.clock.now());
        if let Err(error) = idempotency::forget_before(&self.db, before, FORGET_BATCH).await {
            tracing::warn!(error = %chassis::fault::chain(&error), "old idempotency keys stay");
        }
    }
}

fn retention_start(now: DateTime<Utc>) -> DateTime<Utc> {
    let retention = TimeDelta::from_std(idempotency::RETENTION).expect("30 days fit");
    now.checked_sub_signed(retention)
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

fn cancelled(order: Order) -> Option<Change> {
    match order::expire(order.status) {
        Transition::To { status, stock } => Some(Change {
            order,
            status,
            stock,
        }),
        Transition::Unchanged => None,
    }
}
