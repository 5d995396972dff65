//! Taking a product out of a cart.

use ::schema::id::{Sku, UserId};
use idempotency::Recorded;

use super::{Cart, Carts, Change, Error};

impl Carts {
    /// Removes the line of one product; one that is not there is no error. With `key`, a repeat removes nothing more.
    /// Source: docs/contracts.md §1.
    ///
    /// # Errors
    /// [`Error::Refused`] for a key of another input, [`Error::Store`].
    pub async fn remove_item(
        &self,
        owner: UserId,
        sku: Sku,
        key: Option<&str>,
    ) -> Result<Recorded<Cart>, Error> {
        self.change(owner, Change::Remove(sku), key).await
    }
}
