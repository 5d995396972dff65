//! Runs a transaction again that met another, and counts it.

pub(crate) use chassis::retry::Conflict;

use crate::metrics;

/// As [`chassis::retry::on_conflict`], counted.
///
/// # Errors
/// What the last attempt gives.
pub(crate) async fn on_conflict<T, E, F>(attempt: impl FnMut() -> F) -> Result<T, E>
where
    E: Conflict,
    F: Future<Output = Result<T, E>>,
{
    chassis::retry::on_conflict(attempt, metrics::retried).await
}
