//! Where checkouts are kept: beside the carts, in Postgres or in memory. Both pass the same tests.

mod memory;
mod postgres;

use ::schema::id::UserId;
use async_trait::async_trait;
use chassis::postgres::StoreError;
use uuid::Uuid;

use super::domain::{Answer, Opened};
use crate::cart::domain::Prices;

/// Keeps attempts to order. Each call is atomic, and calls for one user happen one after another.
#[async_trait]
pub trait Repository: std::fmt::Debug + Send + Sync {
    /// Finds the attempt that `key` names, else the one that is open for the cart, else freezes the cart's lines at
    /// `prices` as a new one. `key` names what was found or frozen from then on.
    async fn open(
        &self,
        owner: UserId,
        key: Option<&str>,
        prices: &Prices,
    ) -> Result<Opened, StoreError>;

    /// Ends an attempt and gives the answer that it has from then on: the first one wins. An order's units leave the
    /// cart, later additions stay; the cart's next checkout is another attempt.
    async fn settle(
        &self,
        owner: UserId,
        checkout: Uuid,
        answer: Answer,
    ) -> Result<Answer, StoreError>;
}
