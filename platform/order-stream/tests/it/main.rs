//! The stream against a real broker.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod broker;
mod codec;
mod filters;
mod resume;
mod topic;
