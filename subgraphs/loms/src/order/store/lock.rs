//! Locks: orders in the order of their ids, then the stock rows that their changes touch in the order of their SKUs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ::schema::id::{OrderId, Sku};
use chassis::{postgres::sql::Sql, sql};
use chrono::{DateTime, Utc};
use loms_domain::{
    lines::Needs,
    order::{self as rules, Transition},
};
use sea_orm::DatabaseTransaction;

use super::{holdings::holdings, read::list_lines};
use crate::{
    entity::order,
    order::{
        command::{Action, Command},
        error::Error,
        limits::{Holdings, Limits},
        model::{LockedRows, Order},
    },
    stock,
};

pub(crate) static LOCK_ORDERS: Sql<(Vec<i64>, Vec<i64>), order::Model> = sql!("lock_orders.sql");
pub(crate) static LOCK_DUE: Sql<(DateTime<Utc>, i64), order::Model> = sql!("lock_due.sql");

/// Locks what `commands` are about until the transaction ends, and counts what customers hold whom `limits` bind.
///
/// # Errors
/// A failing database; a deadlock only with a transaction that breaks the lock order.
pub(in crate::order) async fn lock(
    tx: &DatabaseTransaction,
    commands: &[&Command],
    limits: Limits,
) -> Result<LockedRows, Error> {
    let orders = lock_orders(tx, commands).await?;
    let changing = commands
        .iter()
        .filter(|command| is_change(command, &orders));
    let changing: BTreeSet<OrderId> = changing.filter_map(|it| it.order_id()).collect();
    let mut new_skus = BTreeSet::new();
    for lines in commands.iter().filter_map(|command| command.new_lines()) {
        new_skus.extend(lines.as_sent().iter().map(|line| line.sku));
    }
    let locked = lock_stock(tx, orders, changing, new_skus).await?;
    let holdings = holdings(tx, commands, &locked.stock, limits).await?;
    Ok(LockedRows {
        holdings,
        limits,
        ..locked
    })
}

/// Locks at most `limit` orders whose time to be paid is over, and passes over those that another transaction has
/// locked.
///
/// # Errors
/// As [`lock`].
pub(in crate::order) async fn lock_due(
    tx: &DatabaseTransaction,
    now: DateTime<Utc>,
    limit: u32,
) -> Result<LockedRows, Error> {
    let rows = LOCK_DUE.all(tx, (now, i64::from(limit))).await?;
    let orders = by_id(rows)?;
    let due = orders.values();
    let due = due.filter(|order| rules::expire(order.status) != Transition::Unchanged);
    let due: BTreeSet<OrderId> = due.map(|order| order.id).collect();
    lock_stock(tx, orders, due, BTreeSet::new()).await
}

/// Locks, in the order of their ids, the orders that some of the callers may change.
async fn lock_orders(
    tx: &DatabaseTransaction,
    commands: &[&Command],
) -> Result<BTreeMap<OrderId, Order>, Error> {
    let wanted = commands.iter().filter_map(|command| {
        // The driver's arrays hold no nulls, so owner 0 stands for a caller who may change every order.
        let owner = command.access.owner().unwrap_or(0);
        Some((command.order_id()?.get(), owner))
    });
    let (ids, owners): (Vec<i64>, Vec<i64>) = wanted.unzip();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    by_id(LOCK_ORDERS.all(tx, (ids, owners)).await?)
}

/// Locks the stock rows of the orders in `changing` and of `new_skus`.
async fn lock_stock(
    tx: &DatabaseTransaction,
    orders: BTreeMap<OrderId, Order>,
    changing: BTreeSet<OrderId>,
    new_skus: BTreeSet<Sku>,
) -> Result<LockedRows, Error> {
    let changing: Vec<OrderId> = changing.into_iter().collect();
    let needs = load_needs(tx, &changing).await?;
    let mut skus = new_skus;
    skus.extend(needs.values().flat_map(Needs::skus));
    let stock = stock::store::lock(tx, skus).await?;
    Ok(LockedRows {
        orders,
        needs,
        stock,
        holdings: Holdings::default(),
        limits: Limits::NONE,
    })
}

/// Whether the command gives its order another status. One that does not needs no stock: a repeated pay locks no stock
/// row.
fn is_change(command: &Command, orders: &BTreeMap<OrderId, Order>) -> bool {
    let Action::Change { id, change } = command.action else {
        return false;
    };
    let Some(order) = orders.get(&id) else {
        return false;
    };
    matches!(change.transition(order.status), Ok(Transition::To { .. }))
}

/// Reads the units that each order holds reserved, with one statement.
async fn load_needs(
    tx: &DatabaseTransaction,
    ids: &[OrderId],
) -> Result<HashMap<OrderId, Needs>, Error> {
    let mut needs: HashMap<OrderId, Needs> = HashMap::new();
    if ids.is_empty() {
        return Ok(needs);
    }
    for (id, line) in list_lines(tx, ids).await? {
        let units = i64::from(line.count);
        needs.entry(id).or_default().extend([(line.sku, units)]);
    }
    Ok(needs)
}

fn by_id(rows: Vec<order::Model>) -> Result<BTreeMap<OrderId, Order>, Error> {
    let orders = rows.into_iter().map(|row| {
        let order = Order::try_from(row)?;
        Ok((order.id, order))
    });
    orders.collect()
}
