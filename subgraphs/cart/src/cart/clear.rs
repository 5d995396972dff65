//! Emptying a cart.

use ::schema::id::UserId;
use idempotency::Recorded;

use super::{Cart, Carts, Change, Error};

impl Carts {
    /// Removes all lines; an empty cart stays empty. With `key`, a repeat removes nothing more. Source:
    /// docs/contracts.md §1.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn clear(&self, owner: UserId, key: Option<&str>) -> Result<Recorded<Cart>, Error> {
        self.change(owner, Change::Clear, key).await
    }
}
