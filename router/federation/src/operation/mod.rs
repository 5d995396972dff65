//! From the text of a request to a canonical operation.
//!
//! Invariant: what leaves here is valid against the consumer schema, within the limits, free of `@skip` and
//! `@include`, and keyed by names that no client chose.

pub(crate) mod cache;
pub(crate) mod canonical;
mod definition;
pub(crate) mod document;
pub(crate) mod emit;
pub(crate) mod limits;
mod literals;
mod overlap;
pub(crate) mod persisted;
mod places;
mod response_keys;
mod subscriptions;
pub(crate) mod suggestions;
pub(crate) mod syntax;
pub(crate) mod turns;
pub(crate) mod variables;
pub(crate) mod weight;
