//! Reading orders: one, many, a page of a list, their lines and their history.

use std::collections::HashMap;

use ::schema::id::OrderId;
use chassis::postgres::within;

use super::{
    Error, Order, OrderFilter, OrderLine, Orders, Page, StatusChange, model::OrderKey, store,
};
use crate::access::Access;

impl Orders {
    /// One order that the caller may see; a missing order and another buyer's look the same.
    ///
    /// # Errors
    /// A failing database.
    pub async fn find(&self, access: Access, id: OrderId) -> Result<Option<Order>, Error> {
        let found = self.find_many(&[OrderKey { id, access }]).await?;
        Ok(found.into_values().next())
    }

    /// Many orders with one statement, each for its own caller.
    pub(crate) async fn find_many(
        &self,
        keys: &[OrderKey],
    ) -> Result<HashMap<OrderKey, Order>, Error> {
        let db = &self.transactions.db;
        within(db, store::find(db, keys)).await
    }

    /// A page of at most `first` orders below the order `after`.
    ///
    /// # Errors
    /// A failing database.
    pub async fn list(
        &self,
        filter: &OrderFilter,
        after: Option<OrderId>,
        first: u32,
    ) -> Result<Page, Error> {
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        // One more than asked for shows whether the list goes on.
        let limit = u64::try_from(first.saturating_add(1)).unwrap_or(u64::MAX);
        let db = &self.transactions.db;
        let mut orders = within(db, store::list(db, filter, after, limit)).await?;
        let has_next = orders.len() > first;
        orders.truncate(first);
        Ok(Page { orders, has_next })
    }

    /// How many orders a list has.
    ///
    /// # Errors
    /// A failing database.
    pub async fn count(&self, filter: &OrderFilter) -> Result<u64, Error> {
        let db = &self.transactions.db;
        within(db, store::count(db, filter)).await
    }

    /// The lines of orders, ascending by SKU, with one statement. No owner is checked: pass orders that were found.
    ///
    /// # Errors
    /// A failing database.
    pub async fn lines(&self, ids: &[OrderId]) -> Result<HashMap<OrderId, Vec<OrderLine>>, Error> {
        let db = &self.transactions.db;
        let lines = within(db, store::list_lines(db, ids)).await?;
        Ok(by_order(lines))
    }

    /// Every status that the orders had, oldest first, with one statement. No owner is checked: pass orders that were
    /// found.
    ///
    /// # Errors
    /// A failing database.
    pub async fn history(
        &self,
        ids: &[OrderId],
    ) -> Result<HashMap<OrderId, Vec<StatusChange>>, Error> {
        let db = &self.transactions.db;
        let changes = within(db, store::list_history(db, ids)).await?;
        Ok(by_order(changes))
    }
}

fn by_order<T>(rows: Vec<(OrderId, T)>) -> HashMap<OrderId, Vec<T>> {
    let mut groups: HashMap<OrderId, Vec<T>> = HashMap::new();
    for (id, row) in rows {
        groups.entry(id).or_default().push(row);
    }
    groups
}
