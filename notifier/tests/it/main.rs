//! The notifier against a real database and a real broker.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod codec;
mod dead_letter;
mod effect;
mod outage;
mod poison;
mod replica;
mod retention;
mod webhook;
