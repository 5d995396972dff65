//! Reads: orders as their callers may see them, lists, lines and history.

use std::collections::HashMap;

use ::schema::id::{OrderId, UserId};
use chassis::{postgres::sql::Sql, row, sql};
use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DatabaseConnection, EntityTrait as _,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
};

use super::row::{line, status_change};
use crate::{
    entity::{order, order_history, order_line},
    order::{
        error::Error,
        model::{Order, OrderFilter, OrderKey, OrderLine, StatusChange},
    },
};

row! {
    /// An order, and the position of the key that found it.
    pub(crate) struct FoundOrder {
        key: i64,
        id: i64,
        user_id: i64,
        status: String,
        version: i32,
        created_at: DateTime<Utc>,
        expires_at: Option<DateTime<Utc>>,
    }
}

row! {
    /// What an order costs.
    pub(crate) struct OrderTotal {
        order_id: i64,
        total: Option<i64>,
    }
}

pub(crate) static FIND_ORDERS: Sql<(Vec<i64>, Vec<i64>), FoundOrder> = sql!("find_orders.sql");
pub(crate) static LIST_HISTORY: Sql<(Vec<i64>,), order_history::Model> = sql!("list_history.sql");
pub(crate) static LIST_OF_EACH: Sql<(Vec<i64>, i64, i64), order::Model> = sql!("list_of_each.sql");
pub(crate) static TOTALS: Sql<(Vec<i64>,), OrderTotal> = sql!("totals.sql");

/// Reads the orders that each caller may see, with one statement; the others are left out.
///
/// # Errors
/// A failing database.
pub(in crate::order) async fn find(
    db: &DatabaseConnection,
    keys: &[OrderKey],
) -> Result<HashMap<OrderKey, Order>, Error> {
    let ids = keys.iter().map(|key| key.id.get()).collect();
    // The driver's arrays hold no nulls, so owner 0 stands for a caller who may see every order.
    let owners = keys.iter().map(|key| key.access.owner().unwrap_or(0));
    let rows = FIND_ORDERS.all(db, (ids, owners.collect())).await?;
    let found = rows.into_iter().map(|row| {
        let index = usize::try_from(row.key - 1).ok();
        let key = index.and_then(|index| keys.get(index));
        let key = key.ok_or(Error::Unreadable {
            id: row.id,
            what: "its key's position",
        })?;
        Ok((*key, Order::try_from(row.into_order())?))
    });
    found.collect()
}

impl FoundOrder {
    fn into_order(self) -> order::Model {
        order::Model {
            id: self.id,
            user_id: self.user_id,
            status: self.status,
            version: self.version,
            created_at: self.created_at,
            expires_at: self.expires_at,
        }
    }
}

/// Reads at most `limit` orders of a list, newest first, below the order `after`.
///
/// # Errors
/// A failing database.
pub(in crate::order) async fn list(
    db: &DatabaseConnection,
    filter: &OrderFilter,
    after: Option<OrderId>,
    limit: u64,
) -> Result<Vec<Order>, Error> {
    let below = after.map(|id| order::Column::Id.lt(id.get()));
    let rows = order::Entity::find()
        .filter(condition(filter).add_option(below))
        .order_by_desc(order::Column::Id)
        .limit(limit)
        .all(db)
        .await?;
    rows.into_iter().map(Order::try_from).collect()
}

/// Reads at most `limit` orders of each of these users, newest first, below the order `after`, with one statement.
///
/// # Errors
/// A failing database.
pub(in crate::order) async fn list_of_each(
    db: &DatabaseConnection,
    users: &[UserId],
    after: Option<OrderId>,
    limit: i64,
) -> Result<Vec<Order>, Error> {
    let users = users.iter().map(|user| user.get()).collect();
    let below = after.map_or(i64::MAX, OrderId::get);
    let rows = LIST_OF_EACH.all(db, (users, below, limit)).await?;
    rows.into_iter().map(Order::try_from).collect()
}

/// Counts a whole list.
///
/// # Errors
/// A failing database.
pub(in crate::order) async fn count(
    db: &DatabaseConnection,
    filter: &OrderFilter,
) -> Result<u64, Error> {
    let orders = order::Entity::find().filter(condition(filter));
    Ok(orders.count(db).await?)
}

/// Reads the lines of orders, by order, ascending by SKU and then as they were sent, with one statement.
///
/// # Errors
/// A failing database.
pub(in crate::order) async fn list_lines(
    db: &impl ConnectionTrait,
    ids: &[OrderId],
) -> Result<Vec<(OrderId, OrderLine)>, Error> {
    let rows = lines_of(ids).all(db).await?;
    rows.iter().map(line).collect()
}

/// Reads the first `rows` of what [`list_lines`] reads.
///
/// # Errors
/// A failing database.
pub(in crate::order) async fn list_first_lines(
    db: &DatabaseConnection,
    ids: &[OrderId],
    rows: usize,
) -> Result<Vec<(OrderId, OrderLine)>, Error> {
    let rows = u64::try_from(rows).unwrap_or(u64::MAX);
    let rows = lines_of(ids).limit(rows).all(db).await?;
    rows.iter().map(line).collect()
}

fn lines_of(ids: &[OrderId]) -> Select<order_line::Entity> {
    order_line::Entity::find()
        .filter(order_line::Column::OrderId.eq_any(ids.iter().map(|id| id.get())))
        .order_by_asc(order_line::Column::OrderId)
        .order_by_asc(order_line::Column::Sku)
        .order_by_asc(order_line::Column::Position)
}

/// Adds up what orders cost, with one statement; `None` for an order with a line without a price.
///
/// # Errors
/// A failing database.
pub(in crate::order) async fn totals(
    db: &DatabaseConnection,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, Option<i64>>, Error> {
    let ids = ids.iter().map(|id| id.get()).collect();
    let rows = TOTALS.all(db, (ids,)).await?;
    let total = |row: OrderTotal| {
        let id = OrderId::try_from(row.order_id).map_err(|_| Error::Unreadable {
            id: row.order_id,
            what: "order_id",
        })?;
        Ok((id, row.total))
    };
    rows.into_iter().map(total).collect()
}

/// Reads every status that the orders had, oldest first, with one statement.
///
/// # Errors
/// A failing database.
pub(in crate::order) async fn list_history(
    db: &DatabaseConnection,
    ids: &[OrderId],
) -> Result<Vec<(OrderId, StatusChange)>, Error> {
    let ids = ids.iter().map(|id| id.get()).collect();
    let rows = LIST_HISTORY.all(db, (ids,)).await?;
    rows.iter().map(status_change).collect()
}

fn condition(filter: &OrderFilter) -> Condition {
    let user = filter.user.map(|user| order::Column::UserId.eq(user.get()));
    let status = filter.status;
    let status = status.map(|status| order::Column::Status.eq(status.as_str()));
    Condition::all().add_option(user).add_option(status)
}
