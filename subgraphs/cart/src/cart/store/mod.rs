//! Where carts are kept: in Postgres, or in memory for tests and benchmarks. Both pass the same tests.

mod memory;
mod postgres;

use ::schema::id::{Quantity, Sku, UserId};
use async_trait::async_trait;

pub use self::{memory::MemoryCarts, postgres::PostgresCarts};
pub(crate) use self::{
    memory::{Attempt, State},
    postgres::{lines_of, lock},
};
use super::{Cart, Error};
use chassis::postgres::StoreError;

/// Keeps carts. Changes of one cart happen one after another; a change that is answered is kept.
#[async_trait]
pub trait Repository: std::fmt::Debug + Send + Sync {
    /// The user's cart; without lines when there is none.
    async fn find(&self, owner: UserId) -> Result<Cart, StoreError>;

    /// Adds units of one SKU and gives the cart as it is then.
    ///
    /// # Errors
    /// [`Error::Refused`] when the cart's rules refuse it, [`Error::Store`].
    async fn add(&self, owner: UserId, sku: Sku, count: Quantity) -> Result<Cart, Error>;

    /// Removes one line, if it is there. A checkout that is still open no longer stands for the cart then.
    async fn remove(&self, owner: UserId, sku: Sku) -> Result<Cart, StoreError>;

    /// Removes all lines. A checkout that is still open no longer stands for the cart then.
    async fn clear(&self, owner: UserId) -> Result<(), StoreError>;
}
