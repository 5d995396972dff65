//! The stock ledger over rows that the caller has locked.
//!
//! Invariant: `reserve`, `release` and `deduct` touch every SKU or none, `reserved` never leaves 0 to `total`
//! for a row that starts there, and nothing overflows. A row whose `reserved` is above its `total` (the seed
//! has one on purpose) has nothing free. Decisions accumulate: several orders may be decided over one set of
//! rows before [`StockRows::changed`] is written. Source: docs/contracts.md §3 and §4.

use std::collections::BTreeMap;

use schema::{id::Sku, shortage::Shortage};

use crate::{
    lines::Needs,
    order::{OrderError, StockEffect},
};

/// Most units of one SKU: fits GraphQL's Int and the contract's uint32.
pub const MAX_UNITS: i64 = 2_147_483_647;

/// The stock of one SKU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StockRow {
    /// The product.
    pub sku: Sku,
    /// Units in the warehouse, 0 to [`MAX_UNITS`].
    pub total: i64,
    /// Units promised to orders that await payment, 0 to [`MAX_UNITS`].
    pub reserved: i64,
}

impl StockRow {
    /// Units that can be ordered now: total less reserved, never below 0.
    #[must_use]
    pub fn free(&self) -> i64 {
        self.total.saturating_sub(self.reserved).max(0)
    }
}

/// The ledger does not add up: a fault of ours, never of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stock row of sku {sku} holds less than its orders reserved")]
pub struct LedgerBroken {
    /// The row.
    pub sku: Sku,
}

/// Why the units on hand cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetTotalError {
    /// Not 0 to [`MAX_UNITS`].
    #[error("a total must be between 0 and {MAX_UNITS}")]
    OutOfRange,
    /// The total is not what the caller read.
    #[error("the total is {actual} and not what was expected")]
    Stale {
        /// The total as it stands; 0 when there is no row.
        actual: i64,
    },
    /// Orders hold more units than the new total.
    #[error("{reserved} units are reserved, so the total cannot be less")]
    BelowReserved {
        /// Units that orders hold.
        reserved: i64,
    },
}

/// Locked rows, and what was decided over them so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StockRows {
    rows: BTreeMap<Sku, StockRow>,
    changed: BTreeMap<Sku, StockRow>,
}

impl StockRows {
    /// Units of `sku` that can be ordered now; 0 without a row.
    #[must_use]
    pub fn free(&self, sku: Sku) -> i64 {
        self.rows.get(&sku).map_or(0, StockRow::free)
    }

    /// The row of `sku` as decided so far.
    #[must_use]
    pub fn find(&self, sku: Sku) -> Option<StockRow> {
        self.rows.get(&sku).copied()
    }

    /// The rows to write, ascending by SKU.
    #[must_use]
    pub fn changed(&self) -> Vec<StockRow> {
        self.changed.values().copied().collect()
    }

    /// Reserves every SKU, or none.
    ///
    /// # Errors
    /// [`OrderError::OutOfStock`] with the lowest short SKU; nothing has changed then.
    pub fn reserve(&mut self, needs: &Needs) -> Result<(), OrderError> {
        let short = |(sku, wanted)| {
            let free = self.free(sku);
            (free < wanted).then_some(Shortage { sku, wanted, free })
        };
        if let Some(short) = needs.iter().find_map(short) {
            return Err(OrderError::OutOfStock(short));
        }
        self.apply(needs, |row, units| {
            Some(StockRow {
                reserved: row.reserved.checked_add(units)?,
                ..row
            })
        })
        .map_err(|LedgerBroken { sku }| {
            let wanted = needs.iter().find(|(needed, _)| *needed == sku);
            let wanted = wanted.map_or(0, |(_, units)| units);
            let free = self.free(sku);
            OrderError::OutOfStock(Shortage { sku, wanted, free })
        })
    }

    /// Gives back what an order had reserved: every SKU, or none.
    ///
    /// # Errors
    /// [`LedgerBroken`] when a row is absent or holds less than that; nothing has changed then.
    pub fn release(&mut self, needs: &Needs) -> Result<(), LedgerBroken> {
        self.apply(needs, |row, units| {
            Some(StockRow {
                reserved: not_negative(row.reserved.checked_sub(units))?,
                ..row
            })
        })
    }

    /// Takes what an order had reserved out of the warehouse: every SKU, or none.
    ///
    /// # Errors
    /// [`LedgerBroken`] when a row is absent or holds less than that; nothing has changed then.
    pub fn deduct(&mut self, needs: &Needs) -> Result<(), LedgerBroken> {
        self.apply(needs, |row, units| {
            Some(StockRow {
                total: not_negative(row.total.checked_sub(units))?,
                reserved: not_negative(row.reserved.checked_sub(units))?,
                ..row
            })
        })
    }

    /// Does what a transition asks of the stock of an order that holds its reservation.
    ///
    /// # Errors
    /// [`LedgerBroken`] as [`release`](Self::release) and [`deduct`](Self::deduct).
    pub fn settle(&mut self, effect: StockEffect, needs: &Needs) -> Result<(), LedgerBroken> {
        match effect {
            StockEffect::Untouched => Ok(()),
            StockEffect::Reserve => self
                .reserve(needs)
                .map_err(|_| LedgerBroken { sku: lowest(needs) }),
            StockEffect::Release => self.release(needs),
            StockEffect::Deduct => self.deduct(needs),
        }
    }

    /// Sets the units on hand; with `expected`, only if that is the total now. A SKU without a row gets one.
    ///
    /// # Errors
    /// [`SetTotalError`]; nothing has changed then.
    pub fn set_total(
        &mut self,
        sku: Sku,
        total: i64,
        expected: Option<i64>,
    ) -> Result<StockRow, SetTotalError> {
        if !(0..=MAX_UNITS).contains(&total) {
            return Err(SetTotalError::OutOfRange);
        }
        let row = self.find(sku);
        if expected.is_some_and(|expected| row.map(|row| row.total) != Some(expected)) {
            return Err(SetTotalError::Stale {
                actual: row.map_or(0, |row| row.total),
            });
        }
        let row = row.unwrap_or(StockRow {
            sku,
            total: 0,
            reserved: 0,
        });
        if total < row.reserved && total != row.total {
            return Err(SetTotalError::BelowReserved {
                reserved: row.reserved,
            });
        }
        let row = StockRow { total, ..row };
        self.put(row);
        Ok(row)
    }

    /// Computes every row before it keeps one, so a failure leaves all as they were.
    fn apply(
        &mut self,
        needs: &Needs,
        change: impl Fn(StockRow, i64) -> Option<StockRow>,
    ) -> Result<(), LedgerBroken> {
        let changed: Vec<StockRow> = needs
            .iter()
            .map(|(sku, units)| {
                self.find(sku)
                    .and_then(|row| change(row, units))
                    .ok_or(LedgerBroken { sku })
            })
            .collect::<Result<_, _>>()?;
        changed.into_iter().for_each(|row| self.put(row));
        Ok(())
    }

    fn put(&mut self, row: StockRow) {
        self.rows.insert(row.sku, row);
        self.changed.insert(row.sku, row);
    }
}

impl FromIterator<StockRow> for StockRows {
    fn from_iter<I: IntoIterator<Item = StockRow>>(rows: I) -> Self {
        let rows = rows.into_iter().map(|row| (row.sku, row)).collect();
        Self {
            rows,
            changed: BTreeMap::new(),
        }
    }
}

fn not_negative(units: Option<i64>) -> Option<i64> {
    units.filter(|units| *units >= 0)
}

fn lowest(needs: &Needs) -> Sku {
    needs
        .skus()
        .next()
        .expect("an order has at least one line, and only a line can be short")
}

#[cfg(test)]
#[path = "stock_tests.rs"]
mod tests;
