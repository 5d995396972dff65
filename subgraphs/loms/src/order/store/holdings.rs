//! What the customers of limited commands hold, counted under the locks of the stock that they want.

use std::collections::{BTreeMap, BTreeSet};

use ::schema::id::{Sku, UserId};
use chassis::{postgres::sql::Sql, row, sql};
use loms_domain::stock::StockRows;
use sea_orm::DatabaseTransaction;

use crate::order::{
    command::{Action, Command},
    error::Error,
    limits::{Holdings, Limits},
};

row! {
    pub(crate) struct HeldUnits {
        user_id: i64,
        sku: i64,
        held: i64,
    }
}

pub(crate) static HOLDINGS: Sql<(Vec<i64>, Vec<i64>), HeldUnits> = sql!("holdings.sql");

/// Counts with one statement; none when no command is limited. Units are counted only of products of which so many are reserved
/// that somebody may reach his share.
///
/// # Errors
/// A failing database.
pub(super) async fn holdings(
    tx: &DatabaseTransaction,
    commands: &[&Command],
    stock: &StockRows,
    limits: Limits,
) -> Result<Holdings, Error> {
    let (mut users, mut wanted) = (BTreeSet::new(), BTreeMap::<Sku, i64>::new());
    for command in commands {
        if let (true, Action::Create { user, lines }) = (command.is_limited, &command.action) {
            users.insert(user.get());
            for (sku, units) in lines.needs().iter() {
                let sum = wanted.entry(sku).or_default();
                *sum = sum.saturating_add(units);
            }
        }
    }
    let mut holdings = Holdings::default();
    if users.is_empty() {
        return Ok(holdings);
    }
    let scarce = wanted.into_iter().filter(|(sku, units)| {
        let row = stock.find(*sku);
        row.is_some_and(|row| row.reserved.saturating_add(*units) > limits.units(row.total))
    });
    let skus = scarce.map(|(sku, _)| sku.get()).collect();
    let users = users.into_iter().collect();
    for row in HOLDINGS.all(tx, (users, skus)).await? {
        let unreadable = |what| Error::Unreadable { id: 0, what };
        let user = UserId::try_from(row.user_id).map_err(|_| unreadable("user_id"))?;
        match Sku::try_from(row.sku) {
            Ok(sku) => drop(holdings.units.insert((user, sku), row.held)),
            Err(_) => drop(holdings.orders.insert(user, row.held)),
        }
    }
    Ok(holdings)
}
