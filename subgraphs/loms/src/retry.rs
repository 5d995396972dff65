//! The one place where a transaction is run again: deadlocks and serialisation failures, at most three times.

use std::{future::Future, time::Duration};

use chassis::postgres::{self, StoreError};

use crate::metrics;

/// Runs after the first one.
const RETRIES: u32 = 3;

/// An error that may say that the same transaction can succeed when run again.
pub(crate) trait Conflict {
    /// The database's error, if the database is what failed.
    fn store(&self) -> Option<&StoreError>;
}

/// Runs `attempt`, a whole transaction, again after SQLSTATE 40001 or 40P01, with a random pause of up to 20, 40 and
/// 80 ms between runs.
///
/// # Errors
/// What the last attempt gives.
pub(crate) async fn on_conflict<T, E, F>(mut attempt: impl FnMut() -> F) -> Result<T, E>
where
    E: Conflict,
    F: Future<Output = Result<T, E>>,
{
    for retry in 0..RETRIES {
        let result = attempt().await;
        let again = matches!(&result, Err(error) if is_conflict(error));
        if !again {
            return result;
        }
        metrics::retried();
        tracing::debug!(retry, "the transaction met another and runs again");
        tokio::time::sleep(pause(retry)).await;
    }
    attempt().await
}

fn is_conflict(error: &impl Conflict) -> bool {
    error
        .store()
        .is_some_and(|error| postgres::is_retryable(&error.0))
}

/// Full jitter, so that the two that met do not meet again.
fn pause(retry: u32) -> Duration {
    let most = 20_000_u64 << retry;
    Duration::from_micros(rand::random_range(0..most))
}
