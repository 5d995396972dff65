//! The operations that run on one connection.
//!
//! Invariant: an id belongs to one running operation at a time.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::task::{AbortHandle, JoinSet};

use schema::code::ErrorCode;

use crate::stream::{Closing, Interruption};

/// The running operations by id.
type Running = Arc<Mutex<HashMap<String, Entry>>>;

#[derive(Debug)]
struct Entry {
    /// Tells two operations with the same id apart.
    number: u64,
    task: AbortHandle,
    is_stream: bool,
}

/// Starts and stops operations.
#[derive(Debug, Default)]
pub(in crate::serve) struct Operations {
    running: Running,
    tasks: JoinSet<Option<Interruption>>,
    started: u64,
}

/// One running operation's hold on its id.
#[derive(Debug)]
pub(in crate::serve) struct Slot {
    running: Running,
    id: String,
    number: u64,
}

/// What ends on a connection.
#[derive(Debug)]
pub(in crate::serve) enum Ended {
    /// An operation, to its end.
    Operation,
    /// A stream, before its end: its connection is to end too, so that the client comes back.
    Stream(Interruption),
    /// The connection must, and no stream is there to say so.
    Connection(ErrorCode),
}

/// Why an operation does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) enum NotStarted {
    /// The id belongs to a running operation.
    Duplicate,
    /// The connection runs as many as it may.
    TooMany,
}

impl Operations {
    /// Starts an operation under `id`, unless `max` run already.
    ///
    /// # Errors
    /// [`NotStarted`].
    pub(in crate::serve) fn start<F: Future<Output = Option<Interruption>> + Send + 'static>(
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
        let entry = Entry {
            number: self.started,
            task: self.tasks.spawn(operation(slot)),
            is_stream: false,
        };
        running.insert(id.to_owned(), entry);
        Ok(())
    }

    /// Stops what the client no longer wants; a mutation runs on without it.
    pub(in crate::serve) fn stop(&self, id: &str) {
        if let Some(entry) = self.running.lock().remove(id) {
            entry.task.abort();
        }
    }

    /// Stops every stream where it is; what else runs goes on to its end.
    pub(in crate::serve) fn stop_streams(&self) {
        self.running.lock().retain(|_, entry| {
            if entry.is_stream {
                entry.task.abort();
            }
            !entry.is_stream
        });
    }

    /// Waits until something ends: an operation, or, where `closing` is given, the connection. Streams end by themselves when
    /// their connection must, each with its cursor, so as long as there are some they are waited for.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(in crate::serve) async fn ended(&mut self, mut closing: Option<&mut Closing>) -> Ended {
        let running = &self.running;
        loop {
            let must_close = async {
                match &mut closing {
                    // In a box, for nearly every connection has a stream, and all have room for this.
                    Some(closing) if !has_streams(running) => Box::pin(closing.due()).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(ended) = self.tasks.join_next() => {
                    // A task that fails to join was stopped.
                    let interruption = ended.ok().flatten();
                    return interruption.map_or(Ended::Operation, Ended::Stream);
                }
                code = must_close => {
                    // One may have been opened since.
                    if !has_streams(running) {
                        return Ended::Connection(code);
                    }
                }
            }
        }
    }

    pub(in crate::serve) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

/// Whether a stream is open.
fn has_streams(running: &Running) -> bool {
    running.lock().values().any(|entry| entry.is_stream)
}

impl Slot {
    pub(in crate::serve) fn id(&self) -> &str {
        &self.id
    }

    /// Says that the operation is a stream, which ends by itself when its connection must.
    pub(in crate::serve) fn streams(&self) {
        if let Some(entry) = self.running.lock().get_mut(&self.id) {
            entry.is_stream |= entry.number == self.number;
        }
    }

    /// Frees the id of an operation that ended by itself.
    pub(in crate::serve) fn free(&self) {
        let mut running = self.running.lock();
        let holder = running.get(&self.id).map(|entry| entry.number);
        if holder == Some(self.number) {
            running.remove(&self.id);
        }
    }
}
