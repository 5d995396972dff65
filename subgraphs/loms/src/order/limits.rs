//! What one customer may hold without having paid, so that nobody can reserve the whole stock: open orders, and a share of each
//! product. Clients of the compatibility profile have no such limits; their contract has none.

use std::collections::HashMap;

use ::schema::id::{Sku, UserId};
use loms_domain::{lines::Needs, stock::StockRows};

use super::error::Refusal;

/// Units of a product that a customer may always reserve, however few there are.
const ALWAYS: i64 = 100;

/// The limits of one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most orders that await payment.
    pub open_orders: u32,
    /// The most units of one product that they may reserve, in hundredths of all there are; 100 units are always allowed.
    pub share_percent: u32,
}

impl Limits {
    /// Nobody has limits.
    pub(super) const NONE: Self = Self {
        open_orders: u32::MAX,
        share_percent: 100,
    };

    /// The most units that a customer may reserve of so many.
    pub(super) fn units(self, total: i64) -> i64 {
        let share = total.saturating_mul(self.share_percent.into()) / 100;
        share.max(ALWAYS)
    }
}

/// What customers hold reserved, with what was decided for them so far.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    pub(super) orders: HashMap<UserId, i64>,
    /// Only of products of which somebody may reach his share.
    pub(super) units: HashMap<(UserId, Sku), i64>,
}

impl Holdings {
    /// Whether a customer may reserve `needs` as well.
    ///
    /// # Errors
    /// [`Refusal::OpenOrders`] and [`Refusal::Share`], with the limit.
    pub(super) fn check(
        &self,
        limits: Limits,
        user: UserId,
        needs: &Needs,
        stock: &StockRows,
    ) -> Result<(), Refusal> {
        let orders = self.orders.get(&user).copied().unwrap_or(0);
        if orders >= i64::from(limits.open_orders) {
            let limit = limits.open_orders;
            return Err(Refusal::OpenOrders { limit });
        }
        for (sku, units) in needs.iter() {
            let limit = limits.units(stock.find(sku).map_or(0, |row| row.total));
            let held = self.units.get(&(user, sku)).copied().unwrap_or(0);
            if held.saturating_add(units) > limit {
                return Err(Refusal::Share { sku, limit });
            }
        }
        Ok(())
    }

    /// A customer reserves `needs`.
    pub(super) fn add(&mut self, user: UserId, needs: &Needs) {
        *self.orders.entry(user).or_default() += 1;
        for (sku, units) in needs.iter() {
            *self.units.entry((user, sku)).or_default() += units;
        }
    }
}
