//! Group commit: commands that arrive while a transaction runs share the next one.
//!
//! One task runs the transactions of the whole process, so commands for the same goods do not queue up for row locks,
//! and one flush of the write-ahead log serves many. There is no timer: a command that arrives alone runs at once. With
//! group commit off, every command is a group of one and runs in its caller's task.
//!
//! Invariants: the queue is bounded, and a command that finds it full is refused with `OVERLOADED`; a command whose
//! caller has left, or whose time is over, before its group starts does not run, and after that its outcome stands; a group
//! that meets a locked row runs again without those who want it, who wait aside; a group that meets a fault runs again as
//! groups of one, so a command can fail only by itself.

use std::time::Duration;

use chassis::{health::Component, tasks::Tasks};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

use super::{
    aside::Aside,
    command::Command,
    error::Error,
    group::{self, MAX_GROUP, Response, Unfinished, Waiting},
    pulse::Pulse,
    transaction::Transactions,
};
use crate::metrics;

/// How commands come to their transactions. Clones share the queue.
#[derive(Debug, Clone)]
pub(super) struct GroupCommit {
    transactions: Transactions,
    /// Where commands wait for their group; without it every command is a group of one.
    queue: Option<Queue>,
}

#[derive(Debug, Clone)]
struct Queue {
    sender: mpsc::Sender<Waiting>,
    patience: Duration,
    pulse: Pulse,
}

impl GroupCommit {
    /// Every command is a group of one.
    pub(super) const fn off(transactions: Transactions) -> Self {
        Self {
            transactions,
            queue: None,
        }
    }

    /// Starts the tasks that form groups; when the process stops, they first run what waits. At most `capacity` commands
    /// wait, each at most for `patience`.
    pub(super) fn start(
        transactions: Transactions,
        capacity: usize,
        patience: Duration,
        tasks: &Tasks,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        let (aside, pulse) = (Aside::new(transactions.clone()), Pulse::new());
        let groups = Groups {
            transactions: transactions.clone(),
            queue: receiver,
            aside: aside.clone(),
            pulse: pulse.clone(),
        };
        metrics::announce_groups();
        tasks.spawn("order groups", groups.run(tasks.token()));
        tasks.spawn("order groups aside", aside.run());
        Self {
            transactions,
            queue: Some(Queue {
                sender,
                patience,
                pulse,
            }),
        }
    }

    /// Lets the component say when a group takes longer than `limit`. Without groups there is nothing to say.
    pub(super) fn watch(&self, limit: Duration, component: Component, tasks: &Tasks) {
        match &self.queue {
            Some(queue) => queue.pulse.watch(limit, component, tasks),
            None => component.up(),
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
        let (waiting, response) = Waiting::new(command, queue.patience);
        match queue.sender.try_send(waiting) {
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
    aside: Aside,
    pulse: Pulse,
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
                        break;
                    }
                    let group = std::mem::take(&mut group);
                    self.pulse.of(self.run_group(group)).await;
                }
            }
        }
        self.aside.close();
    }

    /// Runs a group, and then those of its commands that had to wait for its commit.
    async fn run_group(&self, mut group: Vec<Waiting>) {
        while !group.is_empty() {
            let free = self.aside.divert(group::still_wanted(group)).await;
            let Unfinished {
                again,
                key_held,
                row_held,
            } = group::run(&self.transactions, free).await;
            self.aside.take_key_held(key_held);
            group = again;
            group.extend(self.aside.take_held(row_held).await);
        }
    }
}
