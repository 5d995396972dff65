//! What an order asks for. Invariant: 1 to [`MAX_LINES`] lines whose sums and price cannot overflow.
//!
//! Lines stay as they were sent, duplicates included; the ledger sees their sum per SKU in SKU order, so
//! two orders for the same goods take their locks in the same order. Source: docs/contracts.md §3.

use std::collections::BTreeMap;

use schema::id::{Quantity, Sku};

/// Most lines of one order: bounds the statement, the memory and the locks of one request.
pub const MAX_LINES: usize = 1_000;

/// What one unit costs: 0 to 2^32 - 1 whole currency units. Source: docs/contracts.md §1 (uint32).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(i64);

impl Price {
    /// The amount in whole currency units.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// A price outside 0 to 2^32 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a price must be between 0 and 4294967295")]
pub struct BadPrice;

impl From<u32> for Price {
    fn from(amount: u32) -> Self {
        Self(i64::from(amount))
    }
}

impl TryFrom<i64> for Price {
    type Error = BadPrice;

    fn try_from(value: i64) -> Result<Self, BadPrice> {
        u32::try_from(value)
            .map(|_| Self(value))
            .map_err(|_| BadPrice)
    }
}

/// One line as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Line {
    /// The product.
    pub sku: Sku,
    /// Units.
    pub quantity: Quantity,
    /// What one unit costs, where the caller knows it.
    pub unit_price: Option<Price>,
}

/// Why a list of lines is no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinesError {
    /// An order needs a line.
    #[error("an order needs at least 1 line")]
    Empty,
    /// More than [`MAX_LINES`].
    #[error("an order has at most {MAX_LINES} lines")]
    TooMany,
    /// The order's price does not fit 2^63 - 1.
    #[error("the order's total price is too large")]
    PriceTooLarge,
}

/// The lines of one order, as sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lines(Vec<Line>);

impl Lines {
    /// Accepts 1 to [`MAX_LINES`] lines.
    ///
    /// # Errors
    /// [`LinesError`] when there are none, too many, or their price overflows.
    pub fn new(lines: Vec<Line>) -> Result<Self, LinesError> {
        if lines.is_empty() {
            return Err(LinesError::Empty);
        }
        if lines.len() > MAX_LINES {
            return Err(LinesError::TooMany);
        }
        let prices = lines.iter().filter_map(price_of);
        if total(prices).is_none() {
            return Err(LinesError::PriceTooLarge);
        }
        Ok(Self(lines))
    }

    /// The lines in the order in which they were sent.
    #[must_use]
    pub fn as_sent(&self) -> &[Line] {
        &self.0
    }

    /// The units of each SKU, duplicates summed.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.0
            .iter()
            .map(|line| (line.sku, i64::from(line.quantity.get())))
            .collect()
    }

    /// What the order costs; `None` when a line has no price.
    #[must_use]
    pub fn total_price(&self) -> Option<i64> {
        let prices: Option<Vec<_>> = self.0.iter().map(price_of).collect();
        total(prices?.into_iter())
    }
}

/// Count times price, before the sum is bounded; 2^32 * 2^32 fits an i128 many times over.
fn price_of(line: &Line) -> Option<i128> {
    let price = i128::from(line.unit_price?.get());
    i128::from(line.quantity.get()).checked_mul(price)
}

fn total(mut prices: impl Iterator<Item = i128>) -> Option<i64> {
    let sum = prices.try_fold(0_i128, i128::checked_add)?;
    i64::try_from(sum).ok()
}

/// Units per SKU, each SKU once, ascending.
///
/// A sum saturates at 2^63 - 1, which no stock row can meet; real sums stay below 2^42.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs(BTreeMap<Sku, i64>);

impl Needs {
    /// SKU and units, ascending by SKU.
    pub fn iter(&self) -> impl Iterator<Item = (Sku, i64)> + '_ {
        self.0.iter().map(|(sku, units)| (*sku, *units))
    }

    /// The SKUs, ascending: the order in which their rows are locked.
    pub fn skus(&self) -> impl Iterator<Item = Sku> + '_ {
        self.0.keys().copied()
    }

    /// All units together.
    #[must_use]
    pub fn units(&self) -> u64 {
        let units = self.0.values().map(|units| units.unsigned_abs());
        units.fold(0, u64::saturating_add)
    }
}

impl FromIterator<(Sku, i64)> for Needs {
    fn from_iter<I: IntoIterator<Item = (Sku, i64)>>(lines: I) -> Self {
        let mut needs = Self::default();
        needs.extend(lines);
        needs
    }
}

impl Extend<(Sku, i64)> for Needs {
    fn extend<I: IntoIterator<Item = (Sku, i64)>>(&mut self, lines: I) {
        for (sku, units) in lines {
            let sum = self.0.entry(sku).or_default();
            *sum = sum.saturating_add(units);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sku: i64, quantity: u32, price: Option<i64>) -> Line {
        Line {
            sku: Sku::try_from(sku).unwrap(),
            quantity: Quantity::try_from(quantity).unwrap(),
            unit_price: price.map(|price| Price::try_from(price).unwrap()),
        }
    }

    /// Source: docs/contracts.md §3, duplicate SKU lines.
    #[test]
    fn duplicate_lines_stay_two_lines_and_are_reserved_as_their_sum() {
        let lines = Lines::new(vec![line(9, 1, None), line(2, 5, None), line(9, 3, None)]).unwrap();
        assert_eq!(lines.as_sent().len(), 3);
        let needs: Vec<_> = lines
            .needs()
            .iter()
            .map(|(sku, units)| (sku.get(), units))
            .collect();
        assert_eq!(needs, [(2, 5), (9, 4)]);
    }

    #[test]
    fn an_order_has_one_to_a_thousand_lines() {
        assert_eq!(Lines::new(vec![]), Err(LinesError::Empty));
        assert!(Lines::new(vec![line(1, 1, None); MAX_LINES]).is_ok());
        assert_eq!(
            Lines::new(vec![line(1, 1, None); MAX_LINES + 1]),
            Err(LinesError::TooMany)
        );
    }

    #[test]
    fn a_total_needs_every_price_and_never_overflows() {
        let priced = Lines::new(vec![line(1, 2, Some(634)), line(2, 1, Some(0))]).unwrap();
        assert_eq!(priced.total_price(), Some(1268));
        let partly = Lines::new(vec![line(1, 2, Some(634)), line(2, 1, None)]).unwrap();
        assert_eq!(partly.total_price(), None);
        let huge = vec![line(1, u32::MAX, Some(4_294_967_295)); 2];
        assert_eq!(Lines::new(huge), Err(LinesError::PriceTooLarge));
    }

    #[test]
    fn a_price_is_a_whole_number_of_32_bits() {
        for bad in [-1, 4_294_967_296, i64::MIN] {
            assert_eq!(Price::try_from(bad), Err(BadPrice));
        }
    }
}
