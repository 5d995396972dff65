//! The one place where a transaction is run again.

use std::time::Duration;

use backon::Retryable as _;

use crate::postgres::{self, StoreError};

/// The longest pause before each further run.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(20),
    Duration::from_millis(40),
    Duration::from_millis(80),
];

/// An error that may say that the same transaction can succeed when run again.
pub trait Conflict {
    /// The database's error, if the database is what failed.
    fn store(&self) -> Option<&StoreError>;
}

impl Conflict for StoreError {
    fn store(&self) -> Option<&StoreError> {
        Some(self)
    }
}

/// Runs `attempt`, a whole transaction, again after a deadlock or a serialisation failure (SQLSTATE 40001, 40P01), at
/// most three times, with a random pause of up to 20, 40 and 80 ms. `retried` hears of each further run.
///
/// # Errors
/// What the last attempt gives.
pub async fn on_conflict<T, E, F>(
    attempt: impl FnMut() -> F,
    mut retried: impl FnMut(),
) -> Result<T, E>
where
    E: Conflict,
    F: Future<Output = Result<T, E>>,
{
    // Full jitter, so that the two that met do not meet again.
    let pauses = PAUSES
        .into_iter()
        .map(|longest| longest.mul_f64(rand::random_range(0.0..1.0)));
    attempt
        .retry(pauses)
        .when(|error: &E| is_conflict(error))
        .notify(|_, _| {
            tracing::debug!("the transaction met another and runs again");
            retried();
        })
        .await
}

fn is_conflict(error: &impl Conflict) -> bool {
    error
        .store()
        .is_some_and(|error| postgres::is_retryable(&error.0))
}
