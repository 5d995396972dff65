//! What a checkout freezes and how it ends: pure, no I/O.

use schema::id::{OrderId, Quantity, Sku};
use uuid::Uuid;

use crate::cart::{Cart, domain::Prices};

/// One line as it is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PricedLine {
    /// What.
    pub sku: Sku,
    /// How many units.
    pub count: Quantity,
    /// What one unit costs, in whole currency units.
    pub unit_price: u32,
}

/// An attempt to order, the same on every retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The idempotency key of the order.
    pub id: Uuid,
    /// What is ordered, ascending by SKU; never empty.
    pub lines: Vec<PricedLine>,
}

/// How an attempt ended; final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The order that was made.
    Ordered(OrderId),
    /// A line asked for more than was free.
    OutOfStock,
    /// There was nothing to order.
    CartEmpty,
}

/// What opening a checkout found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// An attempt whose outcome is not known yet: ask the order service.
    Ready(Checkout),
    /// These lines need a price first; nothing was written.
    Unpriced(Vec<Sku>),
    /// The attempt has ended already.
    Answered(Answer),
}

/// A cart's lines with their prices.
///
/// # Errors
/// The SKUs that have no price.
pub fn freeze(cart: &Cart, prices: &Prices) -> Result<Vec<PricedLine>, Vec<Sku>> {
    let unpriced: Vec<Sku> = cart
        .lines()
        .map(|(sku, _)| sku)
        .filter(|sku| !prices.contains_key(sku))
        .collect();
    if !unpriced.is_empty() {
        return Err(unpriced);
    }
    Ok(cart
        .lines()
        .map(|(sku, count)| PricedLine {
            sku,
            count,
            unit_price: prices[&sku],
        })
        .collect())
}
