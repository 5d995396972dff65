//! Runs changes of orders to their commit, one transaction for any number of them.

use std::time::Duration;

use ::schema::event::OrderEvent;
use chassis::{
    clock::Clock,
    crash,
    mutant::{self, Mutant},
};
use chrono::{DateTime, TimeDelta, Utc};
use idempotency::{Claim, Recorded};
use outbox::RelayHandle;
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait as _};

use super::{
    Error, Outcome,
    answer::Kept,
    batch::{self, Moment, Written},
    request::Request,
};
use crate::{metrics::Tally, retry};

/// What became of a change.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It was decided, now or by an earlier call with the same key.
    Answered(Recorded<Outcome>),
    /// Its key came before with another input.
    Reused,
    /// An earlier change of this transaction has the same key: ask again after the commit.
    Later,
}

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
    pub(super) async fn commit_one(&self, request: &Request) -> Result<Recorded<Outcome>, Error> {
        match self.commit(&[request]).await?.pop() {
            Some(Verdict::Answered(answered)) => Ok(answered),
            Some(Verdict::Reused) => Err(idempotency::Error::Reused.into()),
            Some(Verdict::Later) | None => unreachable!("a request alone waits for no other"),
        }
    }

    async fn try_commit(&self, requests: &[&Request]) -> Result<(Vec<Verdict>, Tally), Error> {
        let now = self.clock.now();
        let moment = Moment {
            now,
            expires_at: self.expiry(now),
        };
        let tx = self.db.begin().await?;
        let keys = self.apart(Mutant::KeyInItsOwnTransaction).await?;
        let begun = begin(keys.as_ref().unwrap_or(&tx), requests, moment).await?;
        let fresh = requests.iter().zip(&begun);
        let fresh = fresh.filter(|(_, begun)| matches!(begun, Claim::New));
        let fresh: Vec<&Request> = fresh.map(|(request, _)| *request).collect();
        let written = batch::run(&tx, &fresh, moment).await?;
        keep(keys.as_ref().unwrap_or(&tx), &fresh, &written).await?;
        if let Some(keys) = keys {
            keys.commit().await?;
        }
        self.append(&tx, &written.events).await?;
        crash::at("orders::after_write");
        tx.commit().await?;
        crash::at("orders::after_commit");
        Ok((verdicts(begun, written.outcomes)?, written.tally))
    }

    /// Appends to the outbox in the transaction of the change.
    async fn append(&self, tx: &DatabaseTransaction, events: &[OrderEvent]) -> Result<(), Error> {
        let Some(early) = self.apart(Mutant::PublishBeforeCommit).await? else {
            return Ok(outbox::append(tx, events).await?);
        };
        outbox::append(&early, events).await?;
        early.commit().await?;
        self.announce();
        Ok(())
    }

    /// A transaction beside the change's own, for a mutant; `None` in everything that users run.
    async fn apart(&self, mutant: Mutant) -> Result<Option<DatabaseTransaction>, DbErr> {
        match mutant::is_on(mutant) {
            true => self.db.begin().await.map(Some),
            false => Ok(None),
        }
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

/// Claims the keys, before any other lock.
async fn begin(
    tx: &DatabaseTransaction,
    requests: &[&Request],
    moment: Moment,
) -> Result<Vec<Claim<Kept>>, Error> {
    let calls: Vec<_> = requests.iter().map(|it| it.call.as_ref()).collect();
    Ok(idempotency::claim(tx, &calls, moment.now).await?)
}

/// Keeps the answers beside their keys.
async fn keep(
    tx: &DatabaseTransaction,
    fresh: &[&Request],
    written: &Written,
) -> Result<(), Error> {
    let answers = written.outcomes.iter().map(|outcome| Kept::from(*outcome));
    let answers: Vec<Kept> = answers.collect();
    let keyed = fresh.iter().zip(&answers);
    let keyed = keyed.filter_map(|(request, answer)| Some((request.call.as_ref()?, answer)));
    Ok(idempotency::record(tx, &keyed.collect::<Vec<_>>()).await?)
}

/// One verdict a request: `outcomes` are those of the requests that ran.
fn verdicts(begun: Vec<Claim<Kept>>, outcomes: Vec<Outcome>) -> Result<Vec<Verdict>, Error> {
    let mut outcomes = outcomes.into_iter();
    let verdicts = begun.into_iter().map(|begun| {
        let (value, replayed) = match begun {
            Claim::New => {
                let outcome = outcomes.next();
                let outcome = outcome.expect("each change that runs has its outcome");
                (outcome, false)
            }
            Claim::Replayed(kept) => (kept.try_into()?, true),
            Claim::Reused => return Ok(Verdict::Reused),
            Claim::InFlight => return Ok(Verdict::Later),
        };
        Ok(Verdict::Answered(Recorded { value, replayed }))
    });
    verdicts.collect()
}
