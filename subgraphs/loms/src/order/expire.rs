//! The sweeper: orders that nobody paid in time are cancelled.
//!
//! Any number of processes may sweep: rows that another one, or a payment, has locked are skipped.

use std::time::Duration;

use ::schema::event::OrderStatus;
use chassis::{
    crash,
    mutant::{self, Mutant},
    tasks::Tasks,
};
use loms_domain::order::{self, Transition};
use sea_orm::TransactionTrait as _;
use tokio::time::MissedTickBehavior;

use super::{
    Error, Order, Orders,
    batch::{self, Expired},
    store,
};
use crate::{
    metrics::{self, Tally},
    retry,
};

impl Orders {
    /// Cancels at most `batch` orders whose time to be paid is over, in one transaction, and says how many.
    ///
    /// # Errors
    /// Faults; nothing has changed then.
    pub async fn expire(&self, batch: u32) -> Result<usize, Error> {
        let (expired, tally) = retry::on_conflict(|| self.try_expire(batch)).await?;
        if expired > 0 {
            tally.count();
            metrics::expired(expired);
            self.writer.announce();
        }
        Ok(expired)
    }

    async fn try_expire(&self, limit: u32) -> Result<(usize, Tally), Error> {
        let now = self.writer.clock.now();
        let tx = self.writer.db.begin().await?;
        let due = store::lock_due(&tx, now, limit).await?;
        let due: Vec<Expired> = due.into_iter().filter_map(expired).collect();
        if !due.is_empty() {
            crash::at("orders::after_expiry_lock");
        }
        let written = batch::expire(&tx, &due, now).await?;
        outbox::append(&tx, &written.events).await?;
        tx.commit().await?;
        Ok((due.len(), written.tally))
    }

    /// Starts the sweeper; it ends at the tasks' token.
    pub(crate) fn start_sweeper(&self, interval: Duration, batch: u32, tasks: &Tasks) {
        let (orders, token) = (self.clone(), tasks.token());
        let interval = interval.max(Duration::from_millis(10));
        tasks.spawn("order expiry", async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while token.run_until_cancelled(ticks.tick()).await.is_some() {
                orders.sweep(batch).await;
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
}

fn expired(order: Order) -> Option<Expired> {
    match order::expire(order.status) {
        Transition::To { status, stock } => Some(Expired {
            order,
            status,
            stock,
        }),
        // The status that the order had before it was locked, with which it was chosen.
        Transition::Unchanged if mutant::is_on(Mutant::ExpiryIgnoresPayment) => expired(Order {
            status: OrderStatus::AwaitingPayment,
            ..order
        }),
        Transition::Unchanged => None,
    }
}
