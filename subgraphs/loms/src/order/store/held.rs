//! What commands want, and which of it other transactions have locked, without waiting for any of them.

use std::collections::{BTreeSet, HashMap};

use ::schema::id::{OrderId, Sku};
use chassis::{postgres::sql::Sql, row, sql};
use sea_orm::DatabaseConnection;

use super::read::list_lines;
use crate::order::{command::Command, error::Error, model::Row};

row! {
    pub(crate) struct HeldOrder {
        id: i64,
    }
}

row! {
    pub(crate) struct HeldStock {
        sku: i64,
    }
}

pub(crate) static HELD_ORDERS: Sql<(Vec<i64>,), HeldOrder> = sql!("held_orders.sql");
pub(crate) static HELD_STOCKS: Sql<(Vec<i64>,), HeldStock> = sql!("held_stocks.sql");

/// What each command wants: its key, its order, and the stock of all lines. One statement at most.
///
/// # Errors
/// A failing database.
pub(in crate::order) async fn wants(
    db: &DatabaseConnection,
    commands: &[&Command],
) -> Result<Vec<BTreeSet<Row>>, Error> {
    let orders: Vec<OrderId> = commands.iter().filter_map(|it| it.order_id()).collect();
    let mut skus: HashMap<OrderId, Vec<Sku>> = HashMap::new();
    if !orders.is_empty() {
        for (order, line) in list_lines(db, &orders).await? {
            skus.entry(order).or_default().push(line.sku);
        }
    }
    let wants = commands.iter().map(|command| {
        let order = command.order_id();
        let of_order = order.and_then(|id| skus.get(&id)).into_iter().flatten();
        let of_lines = command.new_lines().into_iter().flat_map(|it| it.as_sent());
        let stock = of_order.copied().chain(of_lines.map(|line| line.sku));
        let key = command.key_row().into_iter();
        key.chain(order.map(Row::Order))
            .chain(stock.map(Row::Stock))
            .collect()
    });
    Ok(wants.collect())
}

/// Which of the orders' and stocks' rows others have locked. Two statements at most.
///
/// # Errors
/// A failing database.
pub(in crate::order) async fn held(
    db: &DatabaseConnection,
    rows: &BTreeSet<Row>,
) -> Result<BTreeSet<Row>, Error> {
    let (mut orders, mut skus) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            Row::Key(..) => {}
            Row::Order(id) => orders.push(id.get()),
            Row::Stock(sku) => skus.push(sku.get()),
        }
    }
    let mut held = BTreeSet::new();
    if !orders.is_empty() {
        for row in HELD_ORDERS.all(db, (orders,)).await? {
            held.extend(OrderId::try_from(row.id).map(Row::Order));
        }
    }
    if !skus.is_empty() {
        for row in HELD_STOCKS.all(db, (skus,)).await? {
            held.extend(Sku::try_from(row.sku).map(Row::Stock));
        }
    }
    Ok(held)
}
