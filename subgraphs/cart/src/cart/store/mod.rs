//! Where carts are kept: in Postgres, or in memory for tests and benchmarks. Both pass the same tests.

mod forget;
mod memory;
mod postgres;

use ::schema::id::UserId;
use async_trait::async_trait;

pub use self::{memory::MemoryCarts, postgres::PostgresCarts};
pub(crate) use self::{
    memory::{Attempt, State},
    postgres::{lines_of, lock},
};
use super::{Cart, Change, Error, Refusal};
use chassis::postgres::StoreError;

/// Keeps carts. Changes of one cart happen one after another; a change that is answered is kept.
#[async_trait]
pub trait Repository: std::fmt::Debug + Send + Sync {
    /// The user's cart; without lines when there is none.
    async fn find(&self, owner: UserId) -> Result<Cart, StoreError>;

    /// Makes a change and gives the cart as it is then. A change that the store knows under `key` is not made again. What
    /// is removed no longer belongs to a checkout that is still open.
    ///
    /// # Errors
    /// [`Error::Refused`] when the cart's rules refuse it or `key` has another answer, [`Error::Store`].
    async fn change(&self, owner: UserId, change: Change, key: Option<&str>)
    -> Result<Cart, Error>;

    /// Whether this change was made under `key` before.
    ///
    /// # Errors
    /// [`Error::Refused`] when it was refused, or when `key` belongs to another input; [`Error::Store`].
    async fn recall(&self, owner: UserId, change: Change, key: &str) -> Result<bool, Error>;

    /// Keeps a refusal as the answer under `key`, unless there is one already.
    async fn note_refusal(
        &self,
        owner: UserId,
        change: Change,
        key: &str,
        refusal: Refusal,
    ) -> Result<(), StoreError>;
}
