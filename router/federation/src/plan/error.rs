//! Why an operation has no plan.

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlanError {
    /// The planner says why.
    #[error("{0}")]
    Refused(String),
    /// It took longer than it may.
    #[error("planning took too long")]
    TimedOut,
    /// A defect of the planner, caught.
    #[error("the planner panicked: {0}")]
    Panicked(String),
    /// It plans with something that we cannot run.
    #[error("the plan has a node that cannot be run: {0}")]
    Unsupported(&'static str),
}
