//! Finds or starts what the marketplace needs on a developer's machine: a private `PostgreSQL` cluster and a real
//! one-node Apache Kafka.
//!
//! Invariants: everything listens on loopback; a child never outlives the process that started it, even when that
//! process is killed with SIGKILL ([`child`]); what was acknowledged survives a kill of any process (fsync is on, unless
//! a test turns it off). Start reading at [`postgres::Cluster`] and [`kafka::Kafka`].

pub mod account;
pub mod child;
pub mod environment;
mod error;
pub mod install;
pub mod java;
pub mod kafka;
mod maven;
pub mod port;
pub mod postgres;
pub mod process;
pub mod program;
mod progress;
mod run;
pub mod state;

pub use error::Error;
pub use progress::Progress;
