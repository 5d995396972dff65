//! From the text of a request to a canonical operation.
//!
//! Invariant: what leaves here is valid against the consumer schema, within the limits, free of `@skip` and
//! `@include`, and keyed by names that no client chose.

mod kind;

pub use kind::{OperationKind, OperationKinds};
