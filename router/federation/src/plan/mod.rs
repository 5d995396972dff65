//! From a canonical operation to the fetches that bring its data.
//!
//! Invariant: `planner` is the only file that names the planner's crate; everything behind it works on our own
//! [`compile::CompiledPlan`], so the planner can be replaced.

pub(crate) mod compile;
mod dependencies;
pub(crate) mod error;
pub(crate) mod explain;
pub(crate) mod node;
pub(crate) mod planner;
mod required;
pub(crate) mod waves;
mod weight;
