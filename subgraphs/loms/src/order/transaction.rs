//! One transaction for any number of commands. Start reading at `Transactions::try_run`.
//!
//! Invariant: the outcome is that of the same commands one after the other, and the number of statements does not depend
//! on how many there are. Locks are taken in the order of the whole service: keys, orders by id, stock by SKU.

use std::{collections::BTreeSet, time::Duration};

use chassis::{
    clock::Clock,
    crash, deadline,
    postgres::{self, within},
};
use chrono::{DateTime, TimeDelta, Utc};
use idempotency::{Call, Claim, HeldKeys, Recorded};
use outbox::RelayHandle;
use sea_orm::{DatabaseConnection, TransactionTrait as _};

use super::{
    command::Command,
    decide,
    error::Error,
    event,
    limits::Limits,
    model::{LockedRows, Outcome, Row, TransactionTime},
    store,
    stored_response::{self, StoredResponse},
};
use crate::{metrics::Counts, retry};

/// What a transaction made of one command.
#[derive(Debug)]
pub(super) enum Completion {
    /// Its outcome, of now or of an earlier call with the same key.
    Recorded(Recorded<Outcome>),
    /// Its key came before with another input.
    KeyReused,
    /// An earlier command of this transaction has the same key: run it again after the commit.
    KeyInFlight,
    /// Another transaction has its key: run it again when that has ended.
    KeyHeld,
}

/// Runs transactions over orders. Clones share the pool.
#[derive(Debug, Clone)]
pub(super) struct Transactions {
    pub(super) db: DatabaseConnection,
    pub(super) clock: Clock,
    relay: Option<RelayHandle>,
    order_ttl: Option<TimeDelta>,
    pub(super) limits: Limits,
}

impl Transactions {
    pub(super) fn new(
        db: DatabaseConnection,
        clock: Clock,
        relay: Option<RelayHandle>,
        order_ttl: Duration,
    ) -> Self {
        let order_ttl = TimeDelta::from_std(order_ttl).ok();
        Self {
            db,
            clock,
            relay,
            order_ttl: order_ttl.filter(|ttl| !ttl.is_zero()),
            limits: Limits::NONE,
        }
    }

    /// Runs `commands` in their order and commits them together; then wakes the relay. It waits for no key that another
    /// transaction has, and for a row as long as the session's `lock_timeout`.
    ///
    /// # Errors
    /// Faults: nothing has happened, unless the connection broke during the commit.
    ///
    /// # Cancel safety
    /// If the future is dropped, everything or nothing may have happened; a repeat with the same keys tells.
    pub(super) async fn run(&self, commands: &[&Command]) -> Result<Vec<Completion>, Error> {
        self.run_with(commands, HeldKeys::PassedOver).await
    }

    async fn run_with(
        &self,
        commands: &[&Command],
        held: HeldKeys,
    ) -> Result<Vec<Completion>, Error> {
        let attempt = || within(&self.db, self.try_run(commands, held));
        let (completions, counts) = retry::on_conflict(attempt).await?;
        counts.report();
        let is_new = |it: &Completion| matches!(it, Completion::Recorded(it) if !it.replayed);
        if completions.iter().any(is_new) {
            self.wake_relay();
        }
        Ok(completions)
    }

    /// Runs a group of one.
    ///
    /// # Errors
    /// Faults, and a key that came before with another input.
    pub(super) async fn run_one(&self, command: &Command) -> Result<Recorded<Outcome>, Error> {
        let ran = self.run_with(&[command], HeldKeys::Awaited).await?.pop();
        match ran {
            Some(Completion::Recorded(recorded)) => Ok(recorded),
            Some(Completion::KeyReused) => Err(idempotency::Error::Reused.into()),
            Some(Completion::KeyInFlight | Completion::KeyHeld) | None => {
                unreachable!("a command alone awaits its key")
            }
        }
    }

    /// What each command wants to lock.
    ///
    /// # Errors
    /// A failing database.
    pub(super) async fn wants(&self, commands: &[&Command]) -> Result<Vec<BTreeSet<Row>>, Error> {
        within(&self.db, store::wants(&self.db, commands)).await
    }

    /// Which of the rows other transactions have locked.
    ///
    /// # Errors
    /// A failing database.
    pub(super) async fn held(&self, rows: &BTreeSet<Row>) -> Result<BTreeSet<Row>, Error> {
        within(&self.db, store::held(&self.db, rows)).await
    }

    async fn try_run(
        &self,
        commands: &[&Command],
        held: HeldKeys,
    ) -> Result<(Vec<Completion>, Counts), Error> {
        let time = self.time();
        let tx = self.db.begin().await?;
        let claims = idempotency::claim(&tx, &calls(commands), time.now, held).await?;
        let new = new_commands(commands, &claims);
        let locked = store::lock(&tx, &new, self.limits).await?;
        crash_after_locks(&new, &locked);
        let decisions = decide::decide(&new, locked)?;
        let created = store::write(&tx, &decisions, time).await?;
        let outcomes = decisions.outcomes(&created);
        stored_response::record(&tx, &new, &outcomes).await?;
        outbox::append(&tx, &event::events(&created, &decisions, time.now)).await?;
        crash::at("orders::after_write");
        deadline::decide();
        tx.commit().await?;
        crash::at("orders::after_commit");
        Ok((complete(claims, outcomes)?, decisions.counts))
    }

    /// Tells the relay that events were committed.
    pub(super) fn wake_relay(&self) {
        if let Some(relay) = &self.relay {
            relay.wake();
        }
    }

    pub(super) fn time(&self) -> TransactionTime {
        self.time_at(postgres::now(&self.db, &self.clock))
    }

    /// The same for a known moment.
    pub(super) fn time_at(&self, now: DateTime<Utc>) -> TransactionTime {
        let expires_at = self.order_ttl.and_then(|ttl| now.checked_add_signed(ttl));
        TransactionTime { now, expires_at }
    }
}

fn calls<'a>(commands: &[&'a Command]) -> Vec<Option<&'a Call>> {
    commands.iter().map(|it| it.call.as_ref()).collect()
}

/// The commands that have not run before.
fn new_commands<'a>(
    commands: &[&'a Command],
    claims: &[Claim<StoredResponse>],
) -> Vec<&'a Command> {
    let claimed = commands.iter().zip(claims);
    let new = claimed.filter(|(_, claim)| matches!(claim, Claim::New));
    new.map(|(command, _)| *command).collect()
}

/// Where a test ends the process between the locks of a command that has an effect and the first write.
fn crash_after_locks(commands: &[&Command], locked: &LockedRows) {
    for command in commands {
        let id = command.order_id();
        if id.is_none_or(|id| locked.needs.contains_key(&id)) {
            crash::at(command.crash_point());
        }
    }
}

/// One completion a command; `outcomes` are those of the new ones.
fn complete(
    claims: Vec<Claim<StoredResponse>>,
    outcomes: Vec<Outcome>,
) -> Result<Vec<Completion>, Error> {
    let mut outcomes = outcomes.into_iter();
    let completions = claims.into_iter().map(|claim| match claim {
        Claim::New => {
            let outcome = outcomes.next();
            let outcome = outcome.expect("each new command has its outcome");
            Ok(Completion::Recorded(Recorded::new(outcome)))
        }
        Claim::Replayed(stored) => Ok(Completion::Recorded(Recorded::replayed(stored.try_into()?))),
        Claim::Reused => Ok(Completion::KeyReused),
        Claim::InFlight => Ok(Completion::KeyInFlight),
        Claim::Held => Ok(Completion::KeyHeld),
    });
    completions.collect()
}
