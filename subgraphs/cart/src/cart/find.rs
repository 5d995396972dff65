//! Reading a cart.

use ::schema::id::UserId;

use super::{Cart, Carts, Error};

impl Carts {
    /// The user's cart; without lines when nothing was added.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn find(&self, owner: UserId) -> Result<Cart, Error> {
        Ok(self.repository.find(owner).await?)
    }
}
