//! Carts: find, add, remove, clear.
//!
//! [`Carts`] has the use cases, [`domain`] the rules, [`store`] keeps the lines. Invariant: every use case takes the
//! owner as an argument, so nobody's cart can be reached by accident. Start reading at [`Carts::add_item`].

mod change;
pub mod domain;
mod error;
pub(crate) mod graphql;
pub mod store;
mod stored_response;

use std::sync::Arc;

use ::schema::{
    id::{Quantity, Sku, UserId},
    shortage::Shortage,
};
use catalogue::Products;
use idempotency::{Call, Key, Recorded};

pub use self::{
    change::Change,
    domain::{Cart, Refusal},
    error::Error,
    store::Repository,
};
use crate::{loms::Loms, metrics};

/// Handle to the cart's use cases; cloning shares it.
#[derive(Debug, Clone)]
pub struct Carts {
    repository: Arc<dyn Repository>,
    products: Products,
    loms: Loms,
}

impl Carts {
    /// Puts the use cases on a repository and the two services that they ask.
    #[must_use]
    pub fn new(repository: Arc<dyn Repository>, products: Products, loms: Loms) -> Self {
        Self {
            repository,
            products,
            loms,
        }
    }

    /// The user's cart; without lines when nothing was added.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn find(&self, owner: UserId) -> Result<Cart, Error> {
        Ok(self.repository.find(owner).await?)
    }

    /// Adds units of one product. Only this request's count is compared with the free stock, not what the cart holds
    /// already, and nothing is reserved. With `key`, a repeat adds nothing more. Source: docs/contracts.md §1.
    ///
    /// # Errors
    /// [`Error::Refused`]: unknown product, too little free stock (also when none is kept for the SKU), a bound of the
    /// cart; [`Error::Idempotency`] for a key of another input; a fault when a service or the store cannot be reached.
    /// The cart is unchanged then.
    pub async fn add_item(
        &self,
        owner: UserId,
        sku: Sku,
        count: Quantity,
        key: Option<Key>,
    ) -> Result<Recorded<Cart>, Error> {
        let added = self.change(owner, Change::Add(sku, count), key).await?;
        if !added.replayed {
            metrics::item_added();
        }
        Ok(added)
    }

    /// Removes the line of one product; one that is not there is no error. With `key`, a repeat removes nothing more.
    /// Source: docs/contracts.md §1.
    ///
    /// # Errors
    /// [`Error::Idempotency`] for a key of another input, [`Error::Store`].
    pub async fn remove_item(
        &self,
        owner: UserId,
        sku: Sku,
        key: Option<Key>,
    ) -> Result<Recorded<Cart>, Error> {
        self.change(owner, Change::Remove(sku), key).await
    }

    /// Removes all lines; an empty cart stays empty. With `key`, a repeat removes nothing more. Source:
    /// docs/contracts.md §1.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn clear(&self, owner: UserId, key: Option<Key>) -> Result<Recorded<Cart>, Error> {
        self.change(owner, Change::Clear, key).await
    }

    /// Makes a change, unless it was made or refused under this key before: replay, check, write.
    async fn change(
        &self,
        owner: UserId,
        change: Change,
        key: Option<Key>,
    ) -> Result<Recorded<Cart>, Error> {
        let call = key.map(|key| change.call(owner, key)).transpose()?;
        if let Some(call) = &call
            && let Some(outcome) = self.repository.find_outcome(call).await?
        {
            return self.replay(owner, outcome).await;
        }
        match self.check(change).await {
            Ok(()) => self.repository.change(owner, change, call.as_ref()).await,
            Err(Error::Refused(refusal)) => self.refuse(owner, call, refusal).await,
            Err(fault) => Err(fault),
        }
    }

    /// Asks the other services whether a change may be made, before any transaction is open.
    async fn check(&self, change: Change) -> Result<(), Error> {
        let Change::Add(sku, count) = change else {
            return Ok(());
        };
        if self.products.find(sku).await?.is_none() {
            return Err(Refusal::ProductNotFound { sku }.into());
        }
        let free = self.loms.free_stock(sku).await?.unwrap_or(0);
        if free < count.get() {
            let (wanted, free) = (count.get().into(), free.into());
            return Err(Refusal::OutOfStock(Shortage { sku, wanted, free }).into());
        }
        Ok(())
    }

    /// Stores a refusal under the call's key. Where another call with that key was first, its outcome counts.
    async fn refuse(
        &self,
        owner: UserId,
        call: Option<Call>,
        refusal: Refusal,
    ) -> Result<Recorded<Cart>, Error> {
        let Some(call) = call else {
            return Err(refusal.into());
        };
        let outcome = self.repository.record_refusal(&call, refusal).await?;
        self.replay(owner, outcome).await
    }

    /// Responds to a repeat: with the cart as it is now, or with the first call's refusal.
    async fn replay(
        &self,
        owner: UserId,
        outcome: Result<(), Refusal>,
    ) -> Result<Recorded<Cart>, Error> {
        outcome?;
        Ok(Recorded::replayed(self.find(owner).await?))
    }
}
