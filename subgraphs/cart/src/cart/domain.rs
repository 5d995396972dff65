//! The rules of a cart: pure, no I/O.
//!
//! All sums are made in `u64` and refused when they pass their bound, never wrapped. The bound on the units of a whole
//! cart, 2^31 - 1, is the smallest that its readers have (GraphQL's `Int`; an order's count is a `uint32`), and since a
//! price is below 2^32, no total passes 2^63. Source: docs/contracts.md §1.

use std::collections::BTreeMap;

use schema::{
    id::{Quantity, Sku, UserId},
    shortage::Shortage,
};

/// Units that all lines of one cart may have together.
pub const MAX_UNITS: u64 = 2_147_483_647;
/// Lines that one cart may have.
pub const MAX_LINES: usize = 500;

/// Prices of one unit, in whole currency units.
pub type Prices = BTreeMap<Sku, u32>;

/// A line of a cart with the price that it has today, or had when it was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PricedLine {
    /// What.
    pub sku: Sku,
    /// How many units.
    pub count: Quantity,
    /// What one unit costs, in whole currency units.
    pub unit_price: u32,
}

/// Why the rules refuse a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The catalogue does not know the SKU.
    #[error("sku {sku} is not in the catalogue")]
    ProductNotFound {
        /// What was asked for.
        sku: Sku,
    },
    /// Fewer units are free than this request asks for, or no stock is kept for the SKU.
    #[error("{0}")]
    OutOfStock(Shortage),
    /// The cart would hold more units than an order can carry.
    #[error("a cart holds up to {MAX_UNITS} units, and sku {sku} would pass that")]
    TooManyUnits {
        /// What was added.
        sku: Sku,
    },
    /// The cart would have too many different products.
    #[error("a cart holds up to {MAX_LINES} different products")]
    TooManyLines,
}

/// What one user is about to order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cart {
    owner: UserId,
    lines: BTreeMap<Sku, Quantity>,
}

impl Cart {
    /// A cart without lines.
    #[must_use]
    pub fn empty(owner: UserId) -> Self {
        Self {
            owner,
            lines: BTreeMap::new(),
        }
    }

    /// A cart with these lines; of two lines with one SKU the later counts.
    #[must_use]
    pub fn of(owner: UserId, lines: impl IntoIterator<Item = (Sku, Quantity)>) -> Self {
        Self {
            owner,
            lines: lines.into_iter().collect(),
        }
    }

    /// Whose cart it is.
    #[must_use]
    pub fn owner(&self) -> UserId {
        self.owner
    }

    /// The lines, ascending by SKU.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = (Sku, Quantity)> + '_ {
        self.lines.iter().map(|(sku, count)| (*sku, *count))
    }

    /// Whether there is nothing to order.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Units in all lines.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.lines
            .values()
            .map(|count| u64::from(count.get()))
            .sum()
    }

    /// What all lines cost, in whole currency units; the bounds above keep it within `i64`.
    ///
    /// # Errors
    /// The first SKU that has no price.
    pub fn total(&self, prices: &Prices) -> Result<i64, Sku> {
        let cost = |(sku, count): (&Sku, &Quantity)| match prices.get(sku) {
            Some(price) => Ok(i64::from(*price) * i64::from(count.get())),
            None => Err(*sku),
        };
        self.lines.iter().map(cost).sum()
    }

    /// The lines with their prices, ascending by SKU.
    ///
    /// # Errors
    /// The SKUs that have no price.
    pub fn priced_lines(&self, prices: &Prices) -> Result<Vec<PricedLine>, Vec<Sku>> {
        let skus = self.lines.keys().copied();
        let unpriced: Vec<Sku> = skus.filter(|sku| !prices.contains_key(sku)).collect();
        if !unpriced.is_empty() {
            return Err(unpriced);
        }
        let priced = self.lines().map(|(sku, count)| PricedLine {
            sku,
            count,
            unit_price: prices[&sku],
        });
        Ok(priced.collect())
    }

    /// Adds units to the line of `sku` and gives what the line holds then. Repeated adds of one SKU sum up.
    ///
    /// # Errors
    /// [`Refusal`] when the cart would pass a bound; it is unchanged then.
    pub fn add(&mut self, sku: Sku, more: Quantity) -> Result<Quantity, Refusal> {
        if self.units() + u64::from(more.get()) > MAX_UNITS {
            return Err(Refusal::TooManyUnits { sku });
        }
        if !self.lines.contains_key(&sku) && self.lines.len() >= MAX_LINES {
            return Err(Refusal::TooManyLines);
        }
        let held = self.lines.get(&sku).map_or(0, |count| count.get());
        let sum = Quantity::try_from(held + more.get())
            .expect("both are within MAX_UNITS, and more is above 0");
        self.lines.insert(sku, sum);
        Ok(sum)
    }

    /// Removes a line; tells whether there was one.
    pub fn remove(&mut self, sku: Sku) -> bool {
        self.lines.remove(&sku).is_some()
    }

    /// Takes ordered units out: what is left of the line, or nothing. Units that the line does not hold are ignored.
    pub fn subtract(&mut self, sku: Sku, ordered: Quantity) {
        let Some(held) = self.lines.remove(&sku) else {
            return;
        };
        if let Ok(left) = Quantity::try_from(held.get().saturating_sub(ordered.get())) {
            self.lines.insert(sku, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sku(id: i64) -> Sku {
        Sku::try_from(id).unwrap()
    }

    fn units(count: u32) -> Quantity {
        Quantity::try_from(count).unwrap()
    }

    fn cart() -> Cart {
        Cart::empty(UserId::try_from(1).unwrap())
    }

    /// Contracts §1: repeated adds of one SKU sum up; the list ascends by SKU.
    #[test]
    fn adds_sum_up_and_lines_ascend() {
        let mut cart = cart();
        cart.add(sku(9), units(1)).unwrap();
        cart.add(sku(2), units(3)).unwrap();
        assert_eq!(cart.add(sku(9), units(5)), Ok(units(6)));
        assert_eq!(
            cart.lines().collect::<Vec<_>>(),
            [(sku(2), units(3)), (sku(9), units(6))]
        );
        assert_eq!(cart.units(), 9);
    }

    /// Seen red with the sum made in `u32`.
    #[test]
    fn a_sum_is_refused_instead_of_wrapped() {
        let mut cart = cart();
        cart.add(sku(1), units(2_147_483_647)).unwrap();
        assert_eq!(
            cart.add(sku(2), units(u32::MAX)),
            Err(Refusal::TooManyUnits { sku: sku(2) })
        );
        assert_eq!(
            cart.add(sku(1), units(1)),
            Err(Refusal::TooManyUnits { sku: sku(1) })
        );
        assert_eq!(cart.units(), 2_147_483_647, "a refusal changes nothing");
    }

    #[test]
    fn the_dearest_cart_has_an_exact_total() {
        let mut cart = cart();
        cart.add(sku(1), units(2_147_483_000)).unwrap();
        cart.add(sku(2), units(647)).unwrap();
        let prices = Prices::from([(sku(1), u32::MAX), (sku(2), u32::MAX)]);
        assert_eq!(cart.total(&prices), Ok(2_147_483_647 * 4_294_967_295));
        assert_eq!(cart.total(&Prices::from([(sku(1), 1)])), Err(sku(2)));
    }

    #[test]
    fn a_cart_is_bounded_in_lines() {
        let mut cart = cart();
        for id in 1..=500 {
            cart.add(sku(id), units(1)).unwrap();
        }
        assert_eq!(cart.add(sku(501), units(1)), Err(Refusal::TooManyLines));
        assert_eq!(
            cart.add(sku(500), units(1)),
            Ok(units(2)),
            "a line that is there may grow"
        );
    }

    #[test]
    fn subtracting_leaves_later_additions() {
        let mut cart = cart();
        cart.add(sku(1), units(5)).unwrap();
        cart.add(sku(2), units(2)).unwrap();
        cart.subtract(sku(1), units(3));
        cart.subtract(sku(2), units(7));
        cart.subtract(sku(3), units(1));
        assert_eq!(cart.lines().collect::<Vec<_>>(), [(sku(1), units(2))]);
    }
}
