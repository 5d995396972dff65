//! The walk of a checkout: freeze, ask, settle.

use ::schema::id::{OrderId, UserId};
use chassis::{crash, fault::Coded};
use idempotency::Recorded;
use tokio::time::Instant;

use super::{Answer, Checkout, Checkouts, Error, Opened};
use crate::{cart::domain::Prices, metrics};

/// Times that a cart may change between reading its prices and freezing it.
const ROUNDS_MOST: u32 = 4;

impl Checkouts {
    /// Orders what is in the user's cart and takes it out of the cart; what is added meanwhile stays.
    ///
    /// With `key`, the same key gives the same answer for good. Without it, an attempt whose outcome is not known is
    /// taken up again first, so that asking twice makes one order.
    ///
    /// # Errors
    /// [`Error::CartEmpty`], [`Error::OutOfStock`], [`Error::ProductNotFound`]: nothing was ordered and the cart is
    /// kept. A fault otherwise; the order may have been made then, and a retry finds it.
    ///
    /// # Cancel safety
    /// Dropped anywhere it leaves an open attempt, as a crash does.
    pub async fn checkout(
        &self,
        owner: UserId,
        key: Option<&str>,
        traceparent: Option<&str>,
    ) -> Result<Recorded<OrderId>, Error> {
        let asked = Instant::now();
        let ordered = self.walk(owner, key, traceparent).await;
        let outcome = match &ordered {
            Ok(Recorded { replayed: true, .. }) => "REPLAYED",
            Ok(_) => "ORDERED",
            Err(error) => error.code().as_str(),
        };
        metrics::checked_out(outcome, asked.elapsed());
        ordered
    }

    async fn walk(
        &self,
        owner: UserId,
        key: Option<&str>,
        traceparent: Option<&str>,
    ) -> Result<Recorded<OrderId>, Error> {
        let (answer, replayed) = match self.open(owner, key).await? {
            Opened::Answered(answer) => (answer, true),
            Opened::Ready(checkout) => (self.order(owner, &checkout, traceparent).await?, false),
            Opened::Unpriced(_) => {
                return Err(Error::CartKeepsChanging {
                    rounds: ROUNDS_MOST,
                });
            }
        };
        match answer {
            Answer::Ordered(value) => Ok(Recorded { value, replayed }),
            Answer::OutOfStock => Err(Error::OutOfStock),
            Answer::CartEmpty => Err(Error::CartEmpty),
        }
    }

    /// Finds or freezes the attempt. Prices are read between transactions, so a line that was added in between is
    /// noticed by its missing price, and the next round reads that one as well.
    async fn open(&self, owner: UserId, key: Option<&str>) -> Result<Opened, Error> {
        let mut prices = Prices::new();
        let mut opened = self.repository.open(owner, key, &prices).await?;
        for _round in 1..ROUNDS_MOST {
            let Opened::Unpriced(skus) = &opened else {
                break;
            };
            for product in self.products.find_many(skus).await? {
                let (sku, found) = product;
                let product = found.ok_or(Error::ProductNotFound { sku })?;
                if product.stale {
                    return Err(Error::StalePrice { sku });
                }
                prices.insert(sku, product.price);
            }
            opened = self.repository.open(owner, key, &prices).await?;
        }
        Ok(opened)
    }

    async fn order(
        &self,
        owner: UserId,
        checkout: &Checkout,
        traceparent: Option<&str>,
    ) -> Result<Answer, Error> {
        crash::at("checkout::after_freeze");
        let created = self
            .loms
            .create_order(owner, &checkout.lines, checkout.id, traceparent)
            .await?;
        // The order is made, the cart still has its lines. The attempt is open, so a retry after a crash asks with the
        // same id and lines, gets the same order, and settles.
        crash::at("checkout::after_order");
        crash::hold("checkout::between_commits").await;
        let answer = created.map_or(Answer::OutOfStock, Answer::Ordered);
        Ok(self.repository.settle(owner, checkout.id, answer).await?)
    }
}
