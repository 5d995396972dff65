//! Group commit: commands that arrive while a transaction runs share the next one.
//!
//! One task runs the transactions of the whole process, so commands for the same goods do not queue up for row locks,
//! and one flush of the write-ahead log serves many. There is no timer: a command that arrives alone runs at once. With
//! group commit off, every command is a group of one and runs in its caller's task.
//!
//! Invariants: the queue is bounded, and a command that finds it full is refused with `OVERLOADED`; a command whose
//! caller has left before its group starts does not run, and after that its outcome stands; a group that meets a fault
//! runs again as groups of one, so a command can fail only by itself.

use std::{sync::Arc, time::Instant};

use chassis::{fault::Coded as _, tasks::Tasks};
use idempotency::Recorded;
use schema::code::ErrorCode;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    command::Command,
    error::Error,
    model::Outcome,
    transaction::{Completion, Transactions},
};
use crate::metrics;

/// The most commands of one transaction.
const MAX_GROUP: usize = 128;

type Response = Result<Recorded<Outcome>, Error>;

/// How commands come to their transactions. Clones share the queue.
#[derive(Debug, Clone)]
pub(super) struct GroupCommit {
    transactions: Transactions,
    /// Where commands wait for their group; without it every command is a group of one.
    queue: Option<mpsc::Sender<Waiting>>,
}

/// A command, and where its caller waits for the response.
#[derive(Debug)]
struct Waiting {
    command: Command,
    response: oneshot::Sender<Response>,
}

impl GroupCommit {
    /// Every command is a group of one.
    pub(super) const fn off(transactions: Transactions) -> Self {
        Self {
            transactions,
            queue: None,
        }
    }

    /// Starts the task that forms groups; when the process stops, it first runs what waits.
    pub(super) fn start(transactions: Transactions, capacity: usize, tasks: &Tasks) -> Self {
        let (queue, receiver) = mpsc::channel(capacity.max(1));
        let groups = Groups {
            transactions: transactions.clone(),
            queue: receiver,
        };
        metrics::announce_groups();
        tasks.spawn("order groups", groups.run(tasks.token()));
        Self {
            transactions,
            queue: Some(queue),
        }
    }

    /// Runs `command` with its group.
    ///
    /// # Errors
    /// [`Error::QueueFull`], and what the transaction gives.
    pub(super) async fn run(&self, command: Command) -> Response {
        let Some(queue) = &self.queue else {
            return self.transactions.run_one(&command).await;
        };
        let (sender, response) = oneshot::channel();
        match queue.try_send(Waiting {
            command,
            response: sender,
        }) {
            Ok(()) => response.await.unwrap_or(Err(Error::ResponseLost)),
            Err(TrySendError::Full(_)) => {
                metrics::queue_full();
                Err(Error::QueueFull)
            }
            // The process stops, and the task takes no more commands.
            Err(TrySendError::Closed(waiting)) => self.transactions.run_one(&waiting.command).await,
        }
    }
}

/// The task that forms groups.
struct Groups {
    transactions: Transactions,
    queue: mpsc::Receiver<Waiting>,
}

impl Groups {
    /// Ends when the process stops and no command waits any more.
    async fn run(mut self, token: CancellationToken) {
        let mut group = Vec::with_capacity(MAX_GROUP);
        loop {
            tokio::select! {
                biased;
                () = token.cancelled(), if !self.queue.is_closed() => self.queue.close(),
                received = self.queue.recv_many(&mut group, MAX_GROUP) => {
                    if received == 0 {
                        return;
                    }
                    self.run_group(std::mem::take(&mut group)).await;
                }
            }
        }
    }

    /// Runs a group, and then those of its commands that had to wait for its commit.
    async fn run_group(&self, mut group: Vec<Waiting>) {
        while !group.is_empty() {
            group.retain(|waiting| !waiting.response.is_closed());
            group = self.run_transaction(group).await;
        }
    }

    /// Runs a group's transaction; returns the commands that have to run again.
    async fn run_transaction(&self, group: Vec<Waiting>) -> Vec<Waiting> {
        let started = Instant::now();
        let commands: Vec<&Command> = group.iter().map(|waiting| &waiting.command).collect();
        let Some(first) = commands.first() else {
            return group;
        };
        let span = tracing::debug_span!(
            "group",
            requests = commands.len(),
            trace_id = tracing::field::Empty
        );
        let span = chassis::telemetry::trace::follow(span, first.traceparent.as_deref());
        let result = self.transactions.run(&commands).instrument(span).await;
        metrics::group(commands.len(), started.elapsed());
        match result {
            Ok(completions) => respond(group, completions),
            Err(error) => {
                self.run_each_after(error, group).await;
                Vec::new()
            }
        }
    }

    /// Runs the commands of a failed group one by one, unless that cannot help.
    async fn run_each_after(&self, error: Error, group: Vec<Waiting>) {
        let is_alone = group.len() == 1;
        let is_database_away = error.code() == ErrorCode::Unavailable;
        let error = Arc::new(error);
        for Waiting { command, response } in group {
            let result = if is_alone || is_database_away {
                Err(Error::Group(Arc::clone(&error)))
            } else {
                self.transactions.run_one(&command).await
            };
            // The caller may have left; the outcome stands.
            drop(response.send(result));
        }
    }
}

/// Sends the responses; returns the commands that have to run again.
fn respond(group: Vec<Waiting>, completions: Vec<Completion>) -> Vec<Waiting> {
    let mut again = Vec::new();
    for (waiting, completion) in group.into_iter().zip(completions) {
        let result = match completion {
            Completion::Recorded(recorded) => Ok(recorded),
            Completion::KeyReused => Err(idempotency::Error::Reused.into()),
            Completion::KeyInFlight => {
                again.push(waiting);
                continue;
            }
        };
        // The caller may have left; the outcome stands.
        drop(waiting.response.send(result));
    }
    again
}
