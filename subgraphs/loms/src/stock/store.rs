//! The SQL of the ledger: lock, write, find.

use ::schema::{event::STOCK_TOPIC, id::Sku};
use chassis::{postgres::sql::Sql, sql};
use chrono::{DateTime, SecondsFormat, Utc};
use loms_domain::stock::{StockRow, StockRows};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, DatabaseConnection, DatabaseTransaction, EntityTrait as _, ExprTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::{
    error::Error,
    model::{Counted, Stock},
};
use crate::entity::stock;

/// SKUs, totals, reserved units, the ids of events, their topic and their moment.
type StockColumns = (
    Vec<i64>,
    Vec<i64>,
    Vec<i64>,
    Vec<Uuid>,
    &'static str,
    String,
);

pub(crate) static WRITE_STOCKS: Sql<StockColumns> = sql!("write_stocks.sql");

impl TryFrom<stock::Model> for StockRow {
    type Error = Error;

    fn try_from(row: stock::Model) -> Result<Self, Error> {
        let sku = Sku::try_from(row.sku).map_err(|_| Error::Unreadable { sku: row.sku })?;
        Ok(Self {
            sku,
            total: row.total,
            reserved: row.reserved,
        })
    }
}

/// Locks the rows of `skus` until the transaction ends, in SKU order; a SKU without a row is left out.
///
/// # Errors
/// A failing database; a deadlock only with a transaction that breaks the lock order.
pub(crate) async fn lock(
    tx: &DatabaseTransaction,
    skus: impl IntoIterator<Item = Sku>,
) -> Result<StockRows, Error> {
    let skus: Vec<i64> = skus.into_iter().map(Sku::get).collect();
    if skus.is_empty() {
        return Ok(StockRows::default());
    }
    // `order by` and `for update` in one statement lock the rows one by one in that order, so two transactions
    // over the same goods wait for each other and never deadlock.
    let rows = stock::Entity::find()
        .filter(stock::Column::Sku.eq_any(skus))
        .order_by_asc(stock::Column::Sku)
        .lock_exclusive()
        .all(tx)
        .await?;
    rows.into_iter().map(StockRow::try_from).collect()
}

/// Writes locked rows with one statement, and an event for each whose free units change: the relay sends those once `tx` has
/// committed.
///
/// # Errors
/// A failing database; a row that breaks the table's constraints.
pub(crate) async fn write(
    tx: &DatabaseTransaction,
    rows: &[StockRow],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = (
        rows.iter().map(|row| row.sku.get()).collect(),
        rows.iter().map(|row| row.total).collect(),
        rows.iter().map(|row| row.reserved).collect(),
        rows.iter().map(|_| Uuid::now_v7()).collect(),
        STOCK_TOPIC,
        now.to_rfc3339_opts(SecondsFormat::Micros, true),
    );
    WRITE_STOCKS.execute(tx, columns).await?;
    Ok(())
}

/// Inserts a row without units unless there is one, so that it can be locked.
///
/// # Errors
/// A failing database.
pub(crate) async fn create(tx: &DatabaseTransaction, sku: Sku) -> Result<(), Error> {
    let row = stock::ActiveModel {
        sku: Set(sku.get()),
        total: Set(0),
        reserved: Set(0),
        baseline_total: Set(0),
        ..Default::default()
    };
    stock::Entity::insert(row)
        .on_conflict(
            OnConflict::column(stock::Column::Sku)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Records that units were put in or taken out by hand, so that the ledger still adds up.
///
/// # Errors
/// A failing database.
pub(crate) async fn shift_baseline(
    tx: &DatabaseTransaction,
    sku: Sku,
    units: i64,
) -> Result<(), Error> {
    let baseline = Expr::col(stock::Column::BaselineTotal).add(units);
    stock::Entity::update_many()
        .col_expr(stock::Column::BaselineTotal, baseline)
        .filter(stock::Column::Sku.eq(sku.get()))
        .exec(tx)
        .await?;
    Ok(())
}

/// Reads the rows of `skus` as they stand.
///
/// # Errors
/// A failing database.
pub(crate) async fn find(db: &DatabaseConnection, skus: &[Sku]) -> Result<Vec<Counted>, Error> {
    let rows = stock::Entity::find()
        .filter(stock::Column::Sku.eq_any(skus.iter().map(|sku| sku.get())))
        .all(db)
        .await?;
    rows.into_iter()
        .map(|row| {
            let version = u32::try_from(row.version).unwrap_or_default();
            let stock = StockRow::try_from(row).map(Stock)?;
            Ok(Counted { stock, version })
        })
        .collect()
}
