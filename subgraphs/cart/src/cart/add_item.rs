//! Adding units of a product to a cart.

use ::schema::id::{Quantity, Sku, UserId};

use super::{Cart, Carts, Error};

impl Carts {
    /// Adds units of one product. Only this request's count is compared with the free stock, not what the cart holds
    /// already, and nothing is reserved. Source: docs/contracts.md §1.
    ///
    /// # Errors
    /// [`Error::ProductNotFound`], [`Error::OutOfStock`] (also when no stock is kept for the SKU), [`Error::Refused`];
    /// a fault when a service or the store cannot be reached. The cart is unchanged then.
    pub async fn add_item(&self, owner: UserId, sku: Sku, count: Quantity) -> Result<Cart, Error> {
        if self.products.find(sku).await?.is_none() {
            return Err(Error::ProductNotFound { sku });
        }
        let free = self.loms.free_stock(sku).await?.unwrap_or(0);
        if free < count.get() {
            return Err(Error::OutOfStock { sku });
        }
        self.repository.add(owner, sku, count).await
    }
}
