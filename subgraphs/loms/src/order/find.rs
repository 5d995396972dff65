//! Reading orders: one, many, a page of a list, their lines and their history.

use std::collections::HashMap;

use ::schema::{
    event::OrderStatus,
    id::{OrderId, Sku, UserId},
};
use chrono::{DateTime, Utc};

use super::{Error, Order, Orders, store};
use crate::access::Access;

/// One line of a stored order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderLine {
    /// The product.
    pub sku: Sku,
    /// Units, at least 1.
    pub count: u32,
    /// What one unit cost in whole currency units; `None` when the order came in without prices.
    pub unit_price: Option<i64>,
}

/// One status that an order had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusChange {
    /// The status.
    pub status: OrderStatus,
    /// Since when.
    pub at: DateTime<Utc>,
    /// The order's version since then.
    pub version: u32,
}

/// An order and who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) id: OrderId,
    pub(crate) access: Access,
}

/// Which orders a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Only this buyer's.
    pub user: Option<UserId>,
    /// Only with this status.
    pub status: Option<OrderStatus>,
}

/// A page of a list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The orders.
    pub orders: Vec<Order>,
    /// Whether the list goes on.
    pub has_next: bool,
}

impl Orders {
    /// One order that the caller may see; absent and foreign look the same.
    ///
    /// # Errors
    /// A failing database.
    pub async fn find(&self, access: Access, id: OrderId) -> Result<Option<Order>, Error> {
        let found = self.find_many(&[Key { id, access }]).await?;
        Ok(found.into_values().next())
    }

    /// Many orders with one statement, each for its own caller.
    pub(crate) async fn find_many(&self, keys: &[Key]) -> Result<HashMap<Key, Order>, Error> {
        store::find(&self.writer.db, keys).await
    }

    /// A page of at most `first` orders behind the order `after`.
    ///
    /// # Errors
    /// A failing database.
    pub async fn list(
        &self,
        slice: &Slice,
        after: Option<OrderId>,
        first: u32,
    ) -> Result<Page, Error> {
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let one_more = u64::try_from(first.saturating_add(1)).unwrap_or(u64::MAX);
        let mut orders = store::list(&self.writer.db, slice, after, one_more).await?;
        let has_next = orders.len() > first;
        orders.truncate(first);
        Ok(Page { orders, has_next })
    }

    /// How many orders a list has.
    ///
    /// # Errors
    /// A failing database.
    pub async fn count(&self, slice: &Slice) -> Result<u64, Error> {
        store::count(&self.writer.db, slice).await
    }

    /// The lines of orders, ascending by SKU, with one statement. They name no owner: ask for orders that were found.
    ///
    /// # Errors
    /// A failing database.
    pub async fn lines(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Vec<OrderLine>>, Error> {
        Ok(grouped(store::list_lines(&self.writer.db, ids).await?))
    }

    /// Every status that the orders had, oldest first, with one statement.
    ///
    /// # Errors
    /// A failing database.
    pub async fn history(
        &self,
        ids: &[OrderId],
    ) -> Result<HashMap<OrderId, Vec<StatusChange>>, Error> {
        Ok(grouped(store::list_history(&self.writer.db, ids).await?))
    }
}

fn grouped<T>(rows: Vec<(OrderId, T)>) -> HashMap<OrderId, Vec<T>> {
    let mut groups: HashMap<OrderId, Vec<T>> = HashMap::new();
    for (id, row) in rows {
        groups.entry(id).or_default().push(row);
    }
    groups
}
