//! Emptying a cart.

use ::schema::id::UserId;

use super::{Cart, Carts, Error};

impl Carts {
    /// Removes all lines; an empty cart stays empty. Source: docs/contracts.md §1.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn clear(&self, owner: UserId) -> Result<Cart, Error> {
        self.repository.clear(owner).await?;
        Ok(Cart::empty(owner))
    }
}
