//! The first step of a checkout: finds or freezes the attempt.

use ::schema::id::{Sku, UserId};
use idempotency::Key;

use super::{Attempt, Checkouts, Error, Unpriced};
use crate::cart::domain::Prices;

/// Times that a cart may change between reading its prices and freezing it.
const MAX_ROUNDS: u32 = 4;

impl Checkouts {
    /// Prices are read between transactions, so a line that was added in between is noticed by its missing price, and the
    /// next round reads that one as well.
    pub(super) async fn freeze(&self, owner: UserId, key: Option<&Key>) -> Result<Attempt, Error> {
        let mut prices = Prices::new();
        for round in 1..=MAX_ROUNDS {
            match self.repository.open(owner, key, &prices).await? {
                Ok(attempt) => return Ok(attempt),
                Err(Unpriced(skus)) if round < MAX_ROUNDS => {
                    self.add_prices(&skus, &mut prices).await?;
                }
                Err(_) => {}
            }
        }
        Err(Error::CartKeepsChanging { rounds: MAX_ROUNDS })
    }

    async fn add_prices(&self, skus: &[Sku], prices: &mut Prices) -> Result<(), Error> {
        for (sku, found) in self.products.find_many(skus).await? {
            let product = found.ok_or(Error::ProductNotFound { sku })?;
            if product.stale {
                return Err(Error::StalePrice { sku });
            }
            prices.insert(sku, product.price);
        }
        Ok(())
    }
}
