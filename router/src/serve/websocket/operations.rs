//! The operations that run on one socket.
//!
//! Invariant: an id belongs to one running operation at a time.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::task::{AbortHandle, JoinSet};

/// The running operations by id; the number tells two operations with the same id apart.
type Running = Arc<Mutex<HashMap<String, (u64, AbortHandle)>>>;

/// Starts and stops operations.
#[derive(Debug, Default)]
pub(super) struct Operations {
    running: Running,
    tasks: JoinSet<()>,
    started: u64,
}

/// One running operation's hold on its id.
#[derive(Debug)]
pub(super) struct Slot {
    running: Running,
    id: String,
    number: u64,
}

/// Why an operation does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotStarted {
    /// The id belongs to a running operation.
    Duplicate,
    /// The socket runs as many as it may.
    TooMany,
}

impl Operations {
    /// Starts an operation under `id`, unless `max` run already.
    ///
    /// # Errors
    /// [`NotStarted`].
    pub(super) fn start<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        id: &str,
        max: usize,
        operation: impl FnOnce(Slot) -> F,
    ) -> Result<(), NotStarted> {
        let mut running = self.running.lock();
        if running.contains_key(id) {
            return Err(NotStarted::Duplicate);
        }
        if running.len() >= max {
            return Err(NotStarted::TooMany);
        }
        self.started += 1;
        let slot = Slot {
            running: Arc::clone(&self.running),
            id: id.to_owned(),
            number: self.started,
        };
        let handle = self.tasks.spawn(operation(slot));
        running.insert(id.to_owned(), (self.started, handle));
        Ok(())
    }

    /// Stops what the client no longer wants; a mutation runs on without it.
    pub(super) fn stop(&self, id: &str) {
        if let Some((_, handle)) = self.running.lock().remove(id) {
            handle.abort();
        }
    }

    /// Waits until one operation has ended; resolves to `false` at once when none runs.
    pub(super) async fn one_ended(&mut self) -> bool {
        self.tasks.join_next().await.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl Slot {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Frees the id of an operation that ended by itself.
    pub(super) fn free(&self) {
        let mut running = self.running.lock();
        let holder = running.get(&self.id).map(|(number, _)| *number);
        if holder == Some(self.number) {
            running.remove(&self.id);
        }
    }
}
