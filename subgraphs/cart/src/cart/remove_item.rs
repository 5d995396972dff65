//! Taking a product out of a cart.

use ::schema::id::{Sku, UserId};

use super::{Cart, Carts, Error};

impl Carts {
    /// Removes the line of one product; one that is not there is no error. Source: docs/contracts.md §1.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn remove_item(&self, owner: UserId, sku: Sku) -> Result<Cart, Error> {
        Ok(self.repository.remove(owner, sku).await?)
    }
}
