//! The notifier: tells about every status change of every order.
//!
//! It is a member of the consumer group `notifier-group` and starts at the oldest message. Each event's inbox
//! row and effect are written in one transaction, the sink is called, then the offset is committed. Invariant:
//! whatever dies and whenever, each event has exactly one effect in the database and reaches the sink at least
//! once under the same id, and the webhook's receiver too if there is one; a message that cannot be understood is parked and holds nobody up.
//! An effect that is done is forgotten after `retention`, and its inbox row with it. Source: docs/contracts.md §7.

mod app;
mod config;
mod consumer;
mod dead_letter;
mod entity;
mod handle;
mod lag;
mod message;
mod metrics;
mod retention;
mod sink;
mod statements;
mod store;
pub mod webhook;

pub use app::{Dependencies, Service, StartError};
pub use config::Config;
pub use dead_letter::{DeadLetter, DeadLetters, ReplayError, Replayed};
pub use retention::forget;
pub use sink::{Sink, SinkError, Stdout};
pub use statements::statements;
