//! Checkout: from a cart to an order, over two services, without a transaction across them.
//!
//! [`Checkouts::checkout`] is the walk. `freeze` freezes an attempt (lines and prices, under the cart's checkout id),
//! then the order service is asked with that id as its idempotency key, then [`store`] settles the attempt: the ordered
//! units leave the cart and the cart gets a new id, in one transaction.
//! Invariant: a crash at any point leaves an open attempt, which the next checkout takes up again with exactly the same
//! question; so there is one order.

pub mod domain;
mod error;
mod freeze;
pub(crate) mod graphql;
pub mod store;

use std::sync::Arc;

use ::schema::id::{OrderId, UserId};
use catalogue::Products;
use chassis::{crash, deadline, fault::Coded};
use idempotency::{Key, Recorded};
use tokio::time::Instant;

pub use self::{
    domain::{Attempt, Checkout, Outcome, Unpriced},
    error::Error,
    store::Repository,
};
use crate::{
    loms::{Loms, NoOrder, Terms},
    metrics,
};

/// Handle to the checkout; cloning shares it.
#[derive(Debug, Clone)]
pub struct Checkouts {
    repository: Arc<dyn Repository>,
    products: Products,
    loms: Loms,
}

impl Checkouts {
    /// Puts the checkout on a repository and the two services that it asks.
    #[must_use]
    pub fn new(repository: Arc<dyn Repository>, products: Products, loms: Loms) -> Self {
        Self {
            repository,
            products,
            loms,
        }
    }

    /// Orders what is in the user's cart and takes it out of the cart; what is added meanwhile stays. `terms` say whether a
    /// customer's limits count.
    ///
    /// The same key has the same outcome for good. Without a key, an attempt whose outcome is not known is taken up again
    /// first, so that asking twice makes one order.
    ///
    /// # Errors
    /// [`Error::CartEmpty`], [`Error::OutOfStock`], [`Error::OverLimit`], [`Error::ProductNotFound`]: nothing was ordered
    /// and the cart is kept. A fault otherwise; the order may have been made then, and a retry finds it.
    ///
    /// # Cancel safety
    /// Dropped anywhere it leaves an open attempt, as a crash does.
    pub async fn checkout(
        &self,
        owner: UserId,
        key: Option<&Key>,
        traceparent: Option<&str>,
        terms: Terms,
    ) -> Result<Recorded<OrderId>, Error> {
        let started_at = Instant::now();
        let ordered = self
            .freeze_order_settle(owner, key, traceparent, terms)
            .await;
        let outcome = match &ordered {
            Ok(order) if order.replayed => "REPLAYED",
            Ok(_) => "ORDERED",
            Err(error) => error.code().as_str(),
        };
        metrics::checked_out(outcome, started_at.elapsed());
        ordered
    }

    async fn freeze_order_settle(
        &self,
        owner: UserId,
        key: Option<&Key>,
        traceparent: Option<&str>,
        terms: Terms,
    ) -> Result<Recorded<OrderId>, Error> {
        let checkout = match self.freeze(owner, key).await? {
            Attempt::Open(checkout) => checkout,
            Attempt::Ended(outcome) => return Ok(Recorded::replayed(outcome.order()?)),
        };
        crash::at("checkout::after_freeze");

        let Checkout { id, lines } = &checkout;
        let order = self
            .loms
            .create_order(owner, lines, *id, traceparent, terms);
        let outcome = match order.await? {
            Ok(order) => Outcome::Ordered(order),
            Err(NoOrder::OutOfStock(short)) => Outcome::OutOfStock(short),
            Err(NoOrder::OverLimit { why }) => Outcome::OverLimit { why },
        };
        deadline::decide();
        // The order is made, the cart still has its lines. The attempt is open, so a retry after a crash asks with the
        // same id and lines, gets the same order, and settles.
        crash::at("checkout::after_order");
        crash::hold("checkout::between_commits").await;

        let settled = self.repository.settle(owner, *id, outcome).await?;
        Ok(Recorded::new(settled.order()?))
    }
}
