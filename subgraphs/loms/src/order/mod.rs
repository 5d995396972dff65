//! Orders: [`create`](Orders::create), [`pay`](Orders::pay) and [`cancel`](Orders::cancel); [`expire`](Orders::expire)
//! for those that nobody pays, and the reads in `find`.
//!
//! A customer's order is priced first (`price`). Then each change takes the same steps, and each step is a file:
//!
//! 1. `command`: what is asked, by whom, under which idempotency key;
//! 2. `group_commit`: commands that arrive together share a transaction (`group`); without groups each has its own; those
//!    that want what another transaction has locked wait `aside`, and `pulse` tells when all stands still;
//! 3. `transaction`: claim the keys, lock, decide, write, record, append, commit;
//! 4. `store/lock`: lock the orders by id, then the stock rows by SKU;
//! 5. `decide`: apply the rules of `loms-domain` to the locked rows, without I/O;
//! 6. `store/write`: write orders, lines, stock and statuses;
//! 7. `stored_response`: store the outcomes beside their keys;
//! 8. `event`: one event for each version of an order, appended to the outbox.
//!
//! Invariants: an order's rows are locked by id and before any stock row; versions count 1, 2, 3 … and each has its
//! outbox row; a refusal changes nothing but the response stored for its idempotency key.

mod aside;
mod command;
mod decide;
mod error;
mod event;
mod expire;
mod find;
pub(crate) mod graphql;
mod group;
mod group_commit;
pub(crate) mod grpc;
mod limits;
pub(crate) mod loader;
mod model;
mod price;
mod pulse;
pub(crate) mod store;
mod stored_response;
mod transaction;

use std::time::Duration;

use ::schema::id::{OrderId, UserId};
use catalogue::Products;
use chassis::{clock::Clock, health::Component, postgres::within, tasks::Tasks};
use idempotency::Recorded;
use loms_domain::lines::Lines;
use outbox::RelayHandle;
use sea_orm::DatabaseConnection;

use self::{
    command::{Change, Command},
    group_commit::GroupCommit,
    stored_response::StoredResponse,
    transaction::Transactions,
};
pub use self::{
    error::{Error, Refusal},
    limits::Limits,
    model::{Order, OrderFilter, OrderLine, Outcome, Page, StatusChange},
    price::PriceError,
};
use crate::access::Caller;

/// The use cases of orders. Clones share the pool and the queue.
#[derive(Debug, Clone)]
pub struct Orders {
    transactions: Transactions,
    group_commit: GroupCommit,
}

impl Orders {
    /// The orders in `db`, each change in a transaction of its own. Without a relay their events wait for one;
    /// `order_ttl` 0 lets an order wait for payment without end.
    #[must_use]
    pub fn new(
        db: DatabaseConnection,
        clock: Clock,
        relay: Option<RelayHandle>,
        order_ttl: Duration,
    ) -> Self {
        let transactions = Transactions::new(db, clock, relay, order_ttl);
        Self {
            group_commit: GroupCommit::off(transactions.clone()),
            transactions,
        }
    }

    /// The same orders, of which a customer may hold no more than that unpaid.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        let mut transactions = self.transactions;
        transactions.limits = limits;
        Self {
            group_commit: GroupCommit::off(transactions.clone()),
            transactions,
        }
    }

    /// The same orders, whose changes share transactions: at most `capacity` wait, for a task of `tasks`, and each at most for
    /// `patience` until it begins.
    #[must_use]
    pub fn grouped(self, capacity: usize, patience: Duration, tasks: &Tasks) -> Self {
        let transactions = self.transactions.clone();
        let group_commit = GroupCommit::start(transactions, capacity, patience, tasks);
        Self {
            group_commit,
            ..self
        }
    }

    /// Lets `component` say when changes have stood still for longer than `limit`.
    pub(crate) fn watch(&self, limit: Duration, component: Component, tasks: &Tasks) {
        self.group_commit.watch(limit, component, tasks);
    }

    /// Creates an order of `user`: every line is reserved, or the order is stored as failed and nothing is reserved.
    /// Versions 1 (`new`) and 2 (`awaiting payment` or `failed`) come in one transaction.
    /// Source: docs/contracts.md §3, row OrderCreate.
    ///
    /// # Errors
    /// Faults, and an idempotency key that is taken. A line that is out of stock is no error: the outcome is the
    /// failed order with its refusal.
    ///
    /// # Cancel safety
    /// If the future is dropped, the order may exist or not; a repeat with the same key returns what happened.
    pub async fn create(
        &self,
        caller: &Caller,
        user: UserId,
        lines: &Lines,
    ) -> Result<Recorded<Outcome>, Error> {
        let command = Command::create(caller, user, lines)?;
        self.group_commit.run(command).await
    }

    /// As [`create`](Self::create), within the limits of customers.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    ///
    /// # Cancel safety
    /// As [`create`](Self::create).
    pub async fn create_limited(
        &self,
        caller: &Caller,
        user: UserId,
        lines: &Lines,
    ) -> Result<Recorded<Outcome>, Error> {
        let command = Command::create(caller, user, lines)?;
        self.group_commit
            .run(command.with_lines(user, lines.clone()))
            .await
    }

    /// As [`create`](Self::create), at the catalogue's prices of today. A repeat of a named order does not ask for them
    /// again: it gets the first response, whatever the goods cost by now.
    ///
    /// # Errors
    /// [`Error::Price`]: nothing was stored. Else as [`create`](Self::create).
    ///
    /// # Cancel safety
    /// As [`create`](Self::create).
    pub async fn create_priced(
        &self,
        caller: &Caller,
        user: UserId,
        lines: &Lines,
        products: &Products,
    ) -> Result<Recorded<Outcome>, Error> {
        // Its key covers what the caller sent, not what it costs.
        let command = Command::create(caller, user, lines)?;
        if let Some(call) = &command.call {
            let db = &self.transactions.db;
            let stored = idempotency::find::<StoredResponse>(db, call);
            if let Some(stored) = within(db, stored).await? {
                return Ok(Recorded::replayed(stored.try_into()?));
            }
        }
        let priced = price::priced(lines, products).await?;
        self.group_commit
            .run(command.with_lines(user, priced))
            .await
    }

    /// Pays an order that awaits payment: its reserved units leave the stock. A repeat changes nothing and emits
    /// nothing.
    /// Source: docs/contracts.md §3, row OrderPay.
    ///
    /// # Errors
    /// Faults, and an idempotency key that is taken. A refusal is an outcome.
    ///
    /// # Cancel safety
    /// As [`create`](Self::create).
    pub async fn pay(&self, caller: &Caller, id: OrderId) -> Result<Recorded<Outcome>, Error> {
        let command = Command::change(caller, id, Change::Pay)?;
        self.group_commit.run(command).await
    }

    /// Cancels an order that awaits payment: its reserved units are free again. A repeat changes nothing and emits
    /// nothing.
    /// Source: docs/contracts.md §3, row OrderCancel.
    ///
    /// # Errors
    /// Faults, and an idempotency key that is taken. A refusal is an outcome.
    ///
    /// # Cancel safety
    /// As [`create`](Self::create).
    pub async fn cancel(&self, caller: &Caller, id: OrderId) -> Result<Recorded<Outcome>, Error> {
        let command = Command::change(caller, id, Change::Cancel)?;
        self.group_commit.run(command).await
    }
}
