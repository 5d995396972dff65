//! What a checkout freezes and how it ends: pure, no I/O.

use schema::{
    id::{OrderId, Sku},
    shortage::Shortage,
};
use uuid::Uuid;

use crate::cart::domain::PricedLine;

/// What is ordered, the same on every retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The idempotency key of the order.
    pub id: Uuid,
    /// The lines, ascending by SKU; never empty.
    pub lines: Vec<PricedLine>,
}

/// An attempt to order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Its outcome is not known yet: ask the order service.
    Open(Checkout),
    /// It has ended already.
    Ended(Outcome),
}

/// How an attempt ended; final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The order that was made.
    Ordered(OrderId),
    /// A line asked for more than was free; of which product, where that is known.
    OutOfStock(Option<Shortage>),
    /// A limit of the customer's own was reached.
    OverLimit {
        /// The order service's sentence, which names the limit and what would pass.
        why: String,
    },
    /// There was nothing to order.
    CartEmpty,
}

/// These lines need a price before the cart can be frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpriced(pub Vec<Sku>);
