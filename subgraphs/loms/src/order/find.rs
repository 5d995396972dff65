//! Reading orders: one, many, a page of a list, their lines and their history.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use ::schema::id::{OrderId, UserId};
use chassis::postgres::within;
use loms_domain::lines::MAX_LINES;

use super::{
    Error, Order, OrderFilter, OrderLine, Orders, Page, StatusChange, model::OrderKey, store,
};
use crate::access::Access;

/// The most rows of lines that one statement reads: a page of a hundred orders of forty lines. More than one order can
/// have, so that each part has a whole order.
const LINES_OF_A_PART: usize = 4_000;
const _: () = assert!(LINES_OF_A_PART > MAX_LINES);

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
        // One more than asked for shows whether the list goes on.
        let limit = u64::from(first).saturating_add(1);
        let db = &self.transactions.db;
        let orders = within(db, store::list(db, filter, after, limit)).await?;
        Ok(Page::of(orders, first))
    }

    /// A page for each of these users, as [`Orders::list`] reads one, with one statement. A user without orders has none.
    pub(super) async fn list_of_each(
        &self,
        users: &[UserId],
        after: Option<OrderId>,
        first: u32,
    ) -> Result<HashMap<UserId, Arc<Page>>, Error> {
        if users.is_empty() {
            return Ok(HashMap::new());
        }
        let db = &self.transactions.db;
        let limit = i64::from(first).saturating_add(1);
        let orders = within(db, store::list_of_each(db, users, after, limit)).await?;
        let mut lists: HashMap<UserId, Vec<Order>> = HashMap::new();
        for order in orders {
            lists.entry(order.user_id).or_default().push(order);
        }
        let pages = lists.into_iter();
        Ok(pages
            .map(|(user, orders)| (user, Arc::new(Page::of(orders, first))))
            .collect())
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

    /// The lines of the first of these orders, in the order of their ids: of all, or of so many that they are not more than
    /// [`LINES_OF_A_PART`] together. Each order is whole, and at least one is there. No owner is checked.
    pub(super) async fn first_lines(
        &self,
        ids: &[OrderId],
    ) -> Result<BTreeMap<OrderId, Vec<OrderLine>>, Error> {
        let db = &self.transactions.db;
        let lines = within(db, store::list_first_lines(db, ids, LINES_OF_A_PART)).await?;
        // Where the part is full, its last order may go on, and those behind it were not read.
        let is_full = lines.len() >= LINES_OF_A_PART;
        let unread = lines.last().filter(|_| is_full).map(|(id, _)| *id);
        let read = ids
            .iter()
            .filter(|&&id| unread.is_none_or(|unread| id < unread));
        let mut parts: BTreeMap<OrderId, Vec<OrderLine>> =
            read.map(|id| (*id, Vec::new())).collect();
        for (id, line) in lines {
            if let Some(lines) = parts.get_mut(&id) {
                lines.push(line);
            }
        }
        Ok(parts)
    }

    /// What orders cost, with one statement; `None` for an order with a line without a price. No owner is checked.
    pub(super) async fn totals(
        &self,
        ids: &[OrderId],
    ) -> Result<HashMap<OrderId, Option<i64>>, Error> {
        let db = &self.transactions.db;
        within(db, store::totals(db, ids)).await
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
