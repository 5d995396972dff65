//! Who may parse, check and plan: a few at once, a few more wait for a moment, and everybody else is refused at once.
//!
//! Operations that are not in the cache are processor work that anybody can ask for by changing a letter of a text. Without
//! a bound, as many threads as there are such requests would take the processors from operations that are in it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::operation::limits::SETTINGS;
use crate::request::{Code, RequestError};

/// How much new work is taken on: operations that are not in the cache.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewOperations {
    /// How many are parsed, checked or planned at once; 0 is one less than the machine has processors, and at least one.
    pub at_once_max: usize,
    /// How many wait for that; one more is refused with `OVERLOADED`.
    #[schemars(range(min = 1))]
    pub waiting_max: usize,
    /// How long one waits; then it is refused with `OVERLOADED`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration", "x-above-zero" = true))]
    pub waiting_timeout: Duration,
}

impl Default for NewOperations {
    fn default() -> Self {
        Self {
            at_once_max: 0,
            waiting_max: 256,
            waiting_timeout: Duration::from_secs(1),
        }
    }
}

/// Gives out turns, first come, first served.
pub(crate) struct Turns {
    config: NewOperations,
    running: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Turns {
    /// Nobody has a turn yet.
    pub(crate) fn new(config: NewOperations) -> Self {
        let at_once = match config.at_once_max {
            // The last one is for operations that are in the cache.
            0 => available_parallelism().map_or(1, NonZeroUsize::get) - 1,
            given => given,
        };
        Self {
            running: Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS))),
            waiting: Semaphore::new(config.waiting_max.min(Semaphore::MAX_PERMITS)),
            config,
        }
    }

    /// Does processor work off the reactor when its turn comes.
    ///
    /// # Errors
    /// [`Code::OVERLOADED`] when too many wait or it waited too long, and then nothing was done; those of `work`.
    ///
    /// # Cancel safety
    /// Dropped while it waits, it leaves the queue; work that has begun keeps its turn to its end.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, RequestError> + Send + 'static,
    ) -> Result<Arc<T>, RequestError> {
        let turn = self.turn().await?;
        let work = move || {
            let made = work();
            drop(turn);
            made
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(made) => made.map(Arc::new),
            Err(error) => {
                tracing::error!(%error, "preparing an operation did not end");
                Err(RequestError::internal())
            }
        }
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, RequestError> {
        if let Ok(turn) = self.running.clone().try_acquire_owned() {
            return Ok(turn);
        }
        let _place = self.waiting.try_acquire().map_err(|_| {
            let max = self.config.waiting_max;
            overloaded("waiting_max", &format!("{max} wait already")).with("max", max)
        })?;
        let turn = timeout(
            self.config.waiting_timeout,
            self.running.clone().acquire_owned(),
        );
        match turn.await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) => Err(RequestError::internal()),
            Err(_) => {
                let waited = self.config.waiting_timeout;
                Err(overloaded(
                    "waiting_timeout",
                    &format!("this one waited {waited:?}"),
                ))
            }
        }
    }
}

/// How long a refused caller had better wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);

fn overloaded(limit: &str, why: &str) -> RequestError {
    let setting = format!("{SETTINGS}.new_operations.{limit}");
    let text = format!(
        "too many operations that were not asked before: {why} (setting {setting}); an operation that was is served"
    );
    RequestError::new(Code::OVERLOADED, text)
        .with("limit", limit)
        .with("setting", setting)
        .with("retryAfterSeconds", RETRY_AFTER.as_secs())
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
