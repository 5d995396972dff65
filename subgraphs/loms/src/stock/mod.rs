//! The stock ledger: what is free, and what an operator puts in.
//!
//! Invariant: rows are locked in SKU order, in one statement, after the order rows, by whoever changes them.

mod error;
mod find;
pub(crate) mod graphql;
pub(crate) mod grpc;
pub(crate) mod loader;
mod model;
mod set;
pub(crate) mod store;

use chassis::clock::Clock;
use outbox::RelayHandle;
use sea_orm::DatabaseConnection;

pub use self::{
    error::Error,
    model::{Counted, SetStock, Stock},
};

/// The use cases of the ledger. Clones share the pool.
#[derive(Debug, Clone)]
pub struct Stocks {
    db: DatabaseConnection,
    clock: Clock,
    relay: Option<RelayHandle>,
}

impl Stocks {
    /// The ledger in `db`.
    #[must_use]
    pub const fn new(db: DatabaseConnection, clock: Clock) -> Self {
        Self {
            db,
            clock,
            relay: None,
        }
    }

    /// The same ledger, which tells the relay of what it has committed.
    #[must_use]
    pub fn announcing(self, relay: RelayHandle) -> Self {
        Self {
            relay: Some(relay),
            ..self
        }
    }
}
