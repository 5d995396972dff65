//! What the running operation was charged.
//!
//! The charge travels beside the operation as a task-local value, because it belongs to the transport that charged it
//! and not to the caller.

use chassis::budget::Charge;
use tokio::task::futures::TaskLocalFuture;

tokio::task_local! {
    static CHARGE: Charge;
}

/// Runs an operation that was charged.
pub(crate) fn with_charge<F: Future>(charge: Charge, operation: F) -> TaskLocalFuture<Charge, F> {
    CHARGE.scope(charge, operation)
}

/// The charge of the running operation; `None` when nobody charged it.
pub(crate) fn current_charge() -> Option<Charge> {
    CHARGE.try_with(|charge| *charge).ok()
}
