//! Adding units of a product to a cart.

use ::schema::id::{Quantity, Sku, UserId};
use idempotency::Recorded;

use super::{Cart, Carts, Change, Error, Refusal};
use crate::metrics;

impl Carts {
    /// Adds units of one product. Only this request's count is compared with the free stock, not what the cart holds
    /// already, and nothing is reserved. With `key`, a repeat adds nothing more. Source: docs/contracts.md §1.
    ///
    /// # Errors
    /// [`Error::Refused`]: unknown product, too little free stock (also when none is kept for the SKU), a bound of the
    /// cart, a key of another input; a fault when a service or the store cannot be reached. The cart is unchanged then.
    pub async fn add_item(
        &self,
        owner: UserId,
        sku: Sku,
        count: Quantity,
        key: Option<&str>,
    ) -> Result<Recorded<Cart>, Error> {
        let added = self.change(owner, Change::Add(sku, count), key).await?;
        if !added.replayed {
            metrics::item_added();
        }
        Ok(added)
    }

    pub(super) async fn check_add(&self, sku: Sku, count: Quantity) -> Result<(), Error> {
        if self.products.find(sku).await?.is_none() {
            return Err(Refusal::ProductNotFound { sku }.into());
        }
        let free = self.loms.free_stock(sku).await?.unwrap_or(0);
        if free < count.get() {
            return Err(Refusal::OutOfStock { sku }.into());
        }
        Ok(())
    }
}
