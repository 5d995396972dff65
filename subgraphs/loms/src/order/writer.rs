//! Runs changes of orders to their commit, one transaction for any number of them.

use std::time::Duration;

use chassis::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use idempotency::Answered;
use outbox::RelayHandle;
use sea_orm::{DatabaseConnection, TransactionTrait as _};

use super::{
    Error, Outcome,
    batch::{self, Moment, Verdict},
    request::Request,
};
use crate::retry;

/// What a transaction over orders needs. Clones share the pool.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    pub(super) db: DatabaseConnection,
    pub(super) clock: Clock,
    pub(super) relay: Option<RelayHandle>,
    pub(super) order_ttl: Duration,
}

impl Writer {
    /// Decides `requests` in their order and commits them together; then the relay hears of it.
    ///
    /// # Errors
    /// Faults: nothing of all this has happened, unless the commit itself gave no answer.
    ///
    /// # Cancel safety
    /// Dropped midway, everything or nothing may have happened; the same keys tell.
    pub(super) async fn commit(&self, requests: &[&Request]) -> Result<Vec<Verdict>, Error> {
        let (verdicts, tally) = retry::on_conflict(|| self.try_commit(requests)).await?;
        tally.count();
        let is_new = |verdict: &Verdict| matches!(verdict, Verdict::Answered(answered) if !answered.replayed);
        if verdicts.iter().any(is_new) {
            self.announce();
        }
        Ok(verdicts)
    }

    /// The same for one request.
    ///
    /// # Errors
    /// Faults, and a key that came before with another input.
    pub(super) async fn commit_one(&self, request: &Request) -> Result<Answered<Outcome>, Error> {
        match self.commit(&[request]).await?.pop() {
            Some(Verdict::Answered(answered)) => Ok(answered),
            Some(Verdict::Reused) => Err(idempotency::Error::Reused.into()),
            Some(Verdict::Later) | None => unreachable!("a request alone waits for no other"),
        }
    }

    async fn try_commit(
        &self,
        requests: &[&Request],
    ) -> Result<(Vec<Verdict>, crate::metrics::Tally), Error> {
        let now = self.clock.now();
        let moment = Moment {
            now,
            expires_at: self.expiry(now),
        };
        let tx = self.db.begin().await?;
        let decided = batch::run(&tx, requests, moment).await?;
        // Crash point C3 is before it: all is written, nothing is committed. C4 is behind it: nobody knows yet.
        tx.commit().await?;
        Ok(decided)
    }

    /// Says that events were committed.
    pub(super) fn announce(&self) {
        if let Some(relay) = &self.relay {
            relay.wake();
        }
    }

    fn expiry(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let ttl = TimeDelta::from_std(self.order_ttl).ok();
        now.checked_add_signed(ttl.filter(|ttl| !ttl.is_zero())?)
    }
}
