//! Where checkouts are kept: beside the carts, in Postgres or in memory. Both pass the same tests.

mod memory;
pub(crate) mod postgres;
pub(crate) mod retention;

use ::schema::id::UserId;
use async_trait::async_trait;
use chassis::postgres::StoreError;
use idempotency::Key;
use uuid::Uuid;

use super::domain::{Attempt, Outcome, Unpriced};
use crate::cart::domain::Prices;

/// Keeps attempts to order. Each call is atomic, and calls for one user happen one after another.
#[async_trait]
pub trait Repository: std::fmt::Debug + Send + Sync {
    /// Finds the attempt that `key` names, else the one that is open for the cart, else freezes the cart's lines at
    /// `prices` as a new one. `key` names what was found or frozen from then on. Where prices are missing, nothing is
    /// written.
    async fn open(
        &self,
        owner: UserId,
        key: Option<&Key>,
        prices: &Prices,
    ) -> Result<Result<Attempt, Unpriced>, StoreError>;

    /// Ends an attempt and gives the outcome that it has from then on: the first one wins. An order's units leave the
    /// cart, later additions stay; the cart's next checkout is another attempt.
    async fn settle(
        &self,
        owner: UserId,
        checkout: Uuid,
        outcome: Outcome,
    ) -> Result<Outcome, StoreError>;
}
