//! Expiry: orders that nobody paid in time are cancelled.
//!
//! Any number of processes may do it: orders that another process, or a payment, has locked are passed over.

use std::time::Duration;

use chassis::{
    crash,
    postgres::{self, within},
    tasks::Tasks,
};
use sea_orm::TransactionTrait as _;
use tokio::time::MissedTickBehavior;

use super::{Error, Orders, decide, event, store, transaction::Transactions};
use crate::{
    metrics::{self, Counts},
    retry,
};

impl Orders {
    /// Cancels at most `batch` orders whose time to be paid is over, in one transaction; returns how many.
    ///
    /// # Errors
    /// Faults; nothing has changed then.
    pub async fn expire(&self, batch: u32) -> Result<usize, Error> {
        let (expired, counts) = retry::on_conflict(|| self.try_expire(batch)).await?;
        if expired > 0 {
            counts.report();
            metrics::expired(expired);
            self.transactions.wake_relay();
        }
        Ok(expired)
    }

    async fn try_expire(&self, limit: u32) -> Result<(usize, Counts), Error> {
        let Transactions { db, clock, .. } = &self.transactions;
        let time = self
            .transactions
            .time_at(postgres::server_now(db, clock).await?);
        within(&self.transactions.db, async {
            let tx = self.transactions.db.begin().await?;
            let locked = store::lock_due(&tx, time.now, limit).await?;
            if !locked.orders.is_empty() {
                crash::at("orders::after_expiry_lock");
            }
            let decisions = decide::expire(locked)?;
            let created = store::write(&tx, &decisions, time).await?;
            outbox::append(&tx, &event::events(&created, &decisions, time.now)).await?;
            tx.commit().await?;
            Ok((decisions.updates.len(), decisions.counts))
        })
        .await
    }

    /// Starts the task that cancels unpaid orders; it ends at the tasks' token.
    pub(crate) fn start_expiry(&self, interval: Duration, batch: u32, tasks: &Tasks) {
        let (orders, token) = (self.clone(), tasks.token());
        let interval = interval.max(Duration::from_millis(10));
        tasks.spawn("order expiry", async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while token.run_until_cancelled(ticks.tick()).await.is_some() {
                orders.expire_all(batch).await;
            }
        });
    }

    /// Cancels until nothing more is due. After a fault the next tick tries again.
    async fn expire_all(&self, batch: u32) {
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
}
