//! Where carts are kept: in Postgres, or in memory for tests and benchmarks. Both pass the same tests.

mod memory;
pub(crate) mod postgres;

use ::schema::id::UserId;
use async_trait::async_trait;
use chassis::postgres::StoreError;
use idempotency::{Call, Recorded};

pub use self::{memory::MemoryCarts, postgres::PostgresCarts};
pub(crate) use self::{
    memory::{State, StoredCheckout},
    postgres::{lines_of, lock},
};
use super::{Cart, Change, Error, Refusal};

/// Keeps carts. Changes of one cart happen one after another; a change that succeeded is stored.
#[async_trait]
pub trait Repository: std::fmt::Debug + Send + Sync {
    /// The user's cart; without lines when there is none.
    async fn find(&self, owner: UserId) -> Result<Cart, StoreError>;

    /// Makes a change and gives the cart as it is then. A change that was made under the call's key is not made again.
    /// What is removed no longer belongs to a checkout that is still open.
    ///
    /// # Errors
    /// [`Error::Refused`] when the cart's rules refuse it, or refused it under this key; [`Error::Idempotency`],
    /// [`Error::Store`].
    async fn change(
        &self,
        owner: UserId,
        change: Change,
        call: Option<&Call>,
    ) -> Result<Recorded<Cart>, Error>;

    /// Whether the change was made or refused under the call's key before; none when the key is new.
    ///
    /// # Errors
    /// [`Error::Idempotency`], [`Error::Store`].
    async fn find_outcome(&self, call: &Call) -> Result<Option<Result<(), Refusal>>, Error>;

    /// Stores a refusal under the call's key, unless there is an outcome already; gives the one that is stored.
    ///
    /// # Errors
    /// [`Error::Idempotency`], [`Error::Store`].
    async fn record_refusal(
        &self,
        call: &Call,
        refusal: Refusal,
    ) -> Result<Result<(), Refusal>, Error>;
}
