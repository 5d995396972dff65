//! Orders: a file a use case, each of which locks, decides, writes, appends to the outbox and commits.
//!
//! Invariants: an order's rows are locked by id and before any stock row; versions count 1, 2, 3 … and each has its
//! outbox row; a refusal changes nothing but the answer kept for its idempotency key. The decisions are pure and in
//! `loms-domain`. Start reading at [`create`](Orders::create).

mod answer;
mod cancel;
mod create;
mod error;
mod expire;
mod find;
pub(crate) mod graphql;
pub(crate) mod grpc;
mod pay;
mod settle;
pub(crate) mod store;

use std::time::Duration;

use ::schema::{
    event::OrderStatus,
    id::{OrderId, UserId},
};
use chassis::clock::Clock;
use chrono::{DateTime, Utc};
use idempotency::Answered;
use outbox::RelayHandle;
use sea_orm::DatabaseConnection;

use self::answer::Kept;
pub use self::{
    error::{Error, Refusal},
    find::{OrderLine, Page, Slice, StatusChange},
};

/// An order without its lines, which never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Numbered from 1.
    pub id: OrderId,
    /// Who ordered.
    pub user_id: UserId,
    /// Where it is in its life.
    pub status: OrderStatus,
    /// One per status change.
    pub version: u32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it is cancelled if it still awaits payment; `None`: never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The order as the change left it; a refused change may have one too: a failed order, or the one that refused.
    pub order: Option<Order>,
    /// Why the change was refused.
    pub refusal: Option<Refusal>,
}

impl Outcome {
    const fn done(order: Order) -> Self {
        Self {
            order: Some(order),
            refusal: None,
        }
    }

    const fn refused(order: Option<Order>, refusal: Refusal) -> Self {
        Self {
            order,
            refusal: Some(refusal),
        }
    }
}

/// The use cases of orders. Clones share the pool.
#[derive(Debug, Clone)]
pub struct Orders {
    db: DatabaseConnection,
    clock: Clock,
    relay: Option<RelayHandle>,
    order_ttl: Duration,
}

impl Orders {
    /// The orders in `db`. Without a relay their events wait for one; `order_ttl` 0 lets an order wait for ever.
    #[must_use]
    pub const fn new(
        db: DatabaseConnection,
        clock: Clock,
        relay: Option<RelayHandle>,
        order_ttl: Duration,
    ) -> Self {
        Self {
            db,
            clock,
            relay,
            order_ttl,
        }
    }

    /// What follows a commit: the relay hears of it, unless the answer is an earlier one.
    fn finish(&self, answered: Answered<Kept>) -> Result<Answered<Outcome>, Error> {
        let Answered { answer, replayed } = answered;
        let answer = Outcome::try_from(answer)?;
        if !replayed {
            self.announce();
        }
        Ok(Answered { answer, replayed })
    }

    /// Says that events were committed.
    fn announce(&self) {
        if let Some(relay) = &self.relay {
            relay.wake();
        }
    }
}
