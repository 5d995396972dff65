//! Orders: a file a use case, each of which locks, decides, writes, appends to the outbox and commits.
//!
//! Invariants: an order's rows are locked by id and before any stock row; versions count 1, 2, 3 … and each has its
//! outbox row; a refusal changes nothing but the answer kept for its idempotency key. The decisions are pure and in
//! `loms-domain`. Start reading at [`create`](Orders::create).

mod answer;
mod batch;
mod cancel;
mod create;
mod error;
mod expire;
mod find;
pub(crate) mod graphql;
pub(crate) mod grpc;
mod ledger;
mod pay;
mod request;
pub(crate) mod store;
mod writer;

use std::time::Duration;

use ::schema::{
    event::OrderStatus,
    id::{OrderId, UserId},
};
use chassis::{clock::Clock, tasks::Tasks};
use chrono::{DateTime, Utc};
use idempotency::Recorded;
use outbox::RelayHandle;
use sea_orm::DatabaseConnection;

pub use self::{
    error::{Error, Refusal},
    find::{OrderLine, Page, Slice, StatusChange},
};
use self::{ledger::Ledger, request::Request, writer::Writer};

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

/// The use cases of orders. Clones share the pool and the queue.
#[derive(Debug, Clone)]
pub struct Orders {
    writer: Writer,
    /// Where changes wait to share a transaction; without it each has its own.
    ledger: Option<Ledger>,
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
        let writer = Writer {
            db,
            clock,
            relay,
            order_ttl,
        };
        Self {
            writer,
            ledger: None,
        }
    }

    /// The same orders, whose changes share transactions: at most `capacity` wait, in a task of `tasks`.
    #[must_use]
    pub fn grouped(self, capacity: usize, tasks: &Tasks) -> Self {
        let ledger = Ledger::start(self.writer.clone(), capacity, tasks);
        Self {
            ledger: Some(ledger),
            ..self
        }
    }

    /// Decides one change, in a group where there are groups.
    async fn decide(&self, request: Request) -> Result<Recorded<Outcome>, Error> {
        let request = match &self.ledger {
            None => request,
            Some(ledger) => match ledger.decide(request).await {
                Ok(answer) => return answer,
                Err(request) => request,
            },
        };
        self.writer.commit_one(&request).await
    }
}
