//! From a canonical operation to the fetches that answer it.
//!
//! Invariant: `planner` is the only file that names the planner's crate; everything behind it works on our own
//! [`compile::ExecPlan`], so the planner can be replaced.

pub(crate) mod compile;
pub(crate) mod explain;
pub(crate) mod planner;
pub(crate) mod step;
