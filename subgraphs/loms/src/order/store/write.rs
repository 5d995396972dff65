//! Writes what is decided, each kind of row with one statement.

use std::collections::BTreeMap;

use ::schema::id::OrderId;
use chassis::{postgres::sql::Sql, sql};
use chrono::{DateTime, Utc};
use loms_domain::lines::Line;
use sea_orm::DatabaseTransaction;

use crate::{
    entity::order,
    order::{
        error::Error,
        model::{Decisions, NewOrder, Order, TransactionTime, Update},
    },
    stock,
};

type OrderColumns = (Vec<i64>, Vec<String>, DateTime<Utc>, Option<DateTime<Utc>>);
type LineColumns = (Vec<i64>, Vec<i64>, Vec<i64>, Vec<i64>, Vec<i64>);

pub(crate) static INSERT_ORDERS: Sql<OrderColumns, order::Model> = sql!("insert_orders.sql");
pub(crate) static INSERT_LINES: Sql<LineColumns> = sql!("insert_lines.sql");
pub(crate) static SET_STATUS: Sql<(Vec<i64>, Vec<String>, Vec<i64>)> = sql!("set_status.sql");

/// Writes `decisions` and returns the new orders as they were stored, in the order in which they were decided.
///
/// # Errors
/// A failing database.
pub(in crate::order) async fn write(
    tx: &DatabaseTransaction,
    decisions: &Decisions<'_>,
    time: TransactionTime,
) -> Result<Vec<Order>, Error> {
    let created = insert_orders(tx, &decisions.new_orders, time).await?;
    insert_lines(tx, &created, &decisions.new_orders).await?;
    stock::store::write(tx, &decisions.stock.changed(), time.now).await?;
    set_status(tx, &decisions.updates).await?;
    Ok(created)
}

/// Inserts the orders with version 2, the one that their transaction ends with.
async fn insert_orders(
    tx: &DatabaseTransaction,
    orders: &[NewOrder<'_>],
    time: TransactionTime,
) -> Result<Vec<Order>, Error> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let users = orders.iter().map(|new| new.user.get()).collect();
    let status = orders.iter().map(|new| new.status.as_str().to_owned());
    let columns = (users, status.collect(), time.now, time.expires_at);
    let rows = INSERT_ORDERS.all(tx, columns).await?;
    let inserted = rows.into_iter().map(Order::try_from);
    let mut inserted = inserted.collect::<Result<Vec<_>, _>>()?;
    // The ids ascend in the order of the select; the rows come back in no promised order.
    inserted.sort_unstable_by_key(|order| order.id);
    if inserted.len() != orders.len() {
        return Err(Error::Unreadable {
            id: 0,
            what: "an insert returned too few rows",
        });
    }
    Ok(inserted)
}

/// Inserts the lines as they were sent.
async fn insert_lines(
    tx: &DatabaseTransaction,
    inserted: &[Order],
    orders: &[NewOrder<'_>],
) -> Result<(), Error> {
    let lines = inserted.iter().zip(orders).flat_map(|(order, new)| {
        let lines = (0..).zip(new.lines.as_sent());
        lines.map(|(position, line)| (order.id.get(), position, line))
    });
    let lines: Vec<(i64, i64, &Line)> = lines.collect();
    if lines.is_empty() {
        return Ok(());
    }
    // The driver's arrays hold no nulls, so -1 stands for a missing price.
    let price = |line: &Line| line.unit_price.map_or(-1, |price| price.get());
    let columns = (
        lines.iter().map(|(order, ..)| *order).collect(),
        lines.iter().map(|(_, position, _)| *position).collect(),
        lines.iter().map(|(.., line)| line.sku.get()).collect(),
        lines
            .iter()
            .map(|(.., line)| line.quantity.get().into())
            .collect(),
        lines.iter().map(|(.., line)| price(line)).collect(),
    );
    INSERT_LINES.execute(tx, columns).await?;
    Ok(())
}

/// Writes status and version of locked orders.
async fn set_status(tx: &DatabaseTransaction, updates: &[Update<'_>]) -> Result<(), Error> {
    if updates.is_empty() {
        return Ok(());
    }
    // An order that takes two statuses in one transaction is written with the last.
    let last = updates.iter().map(|update| (update.order.id, update.order));
    let last: BTreeMap<OrderId, Order> = last.collect();
    let columns = (
        last.keys().map(|id| id.get()).collect(),
        last.values()
            .map(|it| it.status.as_str().to_owned())
            .collect(),
        last.values().map(|it| it.version.into()).collect(),
    );
    SET_STATUS.execute(tx, columns).await?;
    Ok(())
}
