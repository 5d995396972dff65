//! A group: commands that share a transaction, and who waits for what became of them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chassis::{deadline, fault::Coded as _};
use idempotency::Recorded;
use schema::code::ErrorCode;
use tokio::{sync::oneshot, time::Instant};
use tracing::Instrument as _;

use super::{
    command::Command,
    error::Error,
    model::{Outcome, Row},
    transaction::{Completion, Transactions},
};
use crate::metrics;

/// The most commands of one transaction.
pub(super) const MAX_GROUP: usize = 128;

pub(super) type Response = Result<Recorded<Outcome>, Error>;

/// A command, and where its caller waits for the response.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) command: Command,
    /// Until when it may begin.
    deadline: Instant,
    /// What it was found to wait for: rows and keys that another transaction has locked.
    pub(super) awaits: BTreeSet<Row>,
    response: oneshot::Sender<Response>,
}

impl Waiting {
    /// A command that may begin within `patience` and while its caller waits, and where its response comes.
    pub(super) fn new(command: Command, patience: Duration) -> (Self, oneshot::Receiver<Response>) {
        let (response, receiver) = oneshot::channel();
        let deadline = Instant::now() + patience;
        let waiting = Self {
            command,
            deadline: deadline::current().map_or(deadline, |leaves_at| deadline.min(leaves_at)),
            awaits: BTreeSet::new(),
            response,
        };
        (waiting, receiver)
    }

    /// Sends the response. The caller may have left; the outcome stands.
    pub(super) fn respond(self, response: Response) {
        drop(self.response.send(response));
    }

    /// The command, if somebody waits for it still and it is in time.
    fn still_wanted(self) -> Option<Self> {
        if self.response.is_closed() {
            return None;
        }
        if Instant::now() < self.deadline {
            return Some(self);
        }
        let late = self.late();
        self.respond(Err(late));
        None
    }

    /// Why it did not begin in time.
    fn late(&self) -> Error {
        match self.awaits.first() {
            Some(Row::Key(..)) => idempotency::Error::held().into(),
            Some(Row::Order(_) | Row::Stock(_)) => Error::Locked,
            None => Error::Late,
        }
    }
}

/// The commands that are wanted still and in time; the others do not run.
pub(super) fn still_wanted(group: Vec<Waiting>) -> Vec<Waiting> {
    group
        .into_iter()
        .filter_map(Waiting::still_wanted)
        .collect()
}

/// The commands of a group.
pub(super) fn commands(group: &[Waiting]) -> Vec<&Command> {
    group.iter().map(|waiting| &waiting.command).collect()
}

/// The commands of a group that have no response yet.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    /// An earlier command of the transaction had the same key: they can run now.
    pub(super) again: Vec<Waiting>,
    /// Another transaction has the key.
    pub(super) key_held: Vec<Waiting>,
    /// Another transaction has locked a row that some of them want; nothing of the group has happened.
    pub(super) row_held: Vec<Waiting>,
}

/// Runs a group's transaction and responds.
pub(super) async fn run(transactions: &Transactions, group: Vec<Waiting>) -> Unfinished {
    let group = still_wanted(group);
    let commands = commands(&group);
    let Some(first) = commands.first() else {
        return Unfinished::default();
    };
    let started = Instant::now();
    let span = tracing::debug_span!(
        "group",
        requests = commands.len(),
        trace_id = tracing::field::Empty
    );
    let span = chassis::telemetry::trace::follow(span, first.traceparent.as_deref());
    let result = transactions.run(&commands).instrument(span).await;
    metrics::group(commands.len(), started.elapsed());
    match result {
        Ok(completions) => respond(group, completions),
        Err(error) if error.is_lock_wait() => Unfinished {
            row_held: group,
            ..Unfinished::default()
        },
        Err(error) => {
            run_each_after(transactions, error, group).await;
            Unfinished::default()
        }
    }
}

/// Runs the commands of a failed group one by one, unless that cannot help.
async fn run_each_after(transactions: &Transactions, error: Error, group: Vec<Waiting>) {
    let is_alone = group.len() == 1;
    // The database is away, or it takes too long as it is.
    let is_hopeless = matches!(
        error.code(),
        ErrorCode::Unavailable | ErrorCode::DeadlineExceeded
    );
    let error = Arc::new(error);
    for waiting in group {
        if is_alone || is_hopeless {
            waiting.respond(Err(Error::Group(Arc::clone(&error))));
        } else if let Some(waiting) = waiting.still_wanted() {
            let response = transactions.run_one(&waiting.command).await;
            waiting.respond(response);
        }
    }
}

/// Sends the responses; gives back the commands that have none yet.
fn respond(group: Vec<Waiting>, completions: Vec<Completion>) -> Unfinished {
    let mut unfinished = Unfinished::default();
    for (waiting, completion) in group.into_iter().zip(completions) {
        match completion {
            Completion::Recorded(recorded) => waiting.respond(Ok(recorded)),
            Completion::KeyReused => waiting.respond(Err(idempotency::Error::Reused.into())),
            Completion::KeyInFlight => unfinished.again.push(waiting),
            Completion::KeyHeld => unfinished.key_held.push(waiting),
        }
    }
    unfinished
}
