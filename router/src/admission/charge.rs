//! What the running operation was charged.
//!
//! The charge travels beside the operation as a task-local value, because it belongs to the transport that charged it
//! and not to the caller.

use chrono::{DateTime, Utc};

/// What one operation cost and what its caller has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Charge {
    /// The operation's cost.
    pub(crate) cost: u64,
    /// The caller's budget in one window.
    pub(crate) limit: u64,
    /// What is left of it.
    pub(crate) remaining: u64,
    /// When the next window starts.
    pub(crate) reset_at: DateTime<Utc>,
}

tokio::task_local! {
    static CHARGE: Charge;
}

/// Runs an operation that was charged.
pub(crate) async fn with_charge<F: Future>(charge: Charge, operation: F) -> F::Output {
    CHARGE.scope(charge, operation).await
}

/// The charge of the running operation; `None` when nobody charged it.
pub(crate) fn current_charge() -> Option<Charge> {
    CHARGE.try_with(|charge| *charge).ok()
}
