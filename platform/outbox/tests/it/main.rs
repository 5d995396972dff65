//! The outbox against a real database and a real broker.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod again;
mod copies;
mod failure;
mod leader;
mod retention;
mod send;
mod shop;
mod topics;
