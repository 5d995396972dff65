//! The SQL of the ledger: lock, write, find.

use ::schema::id::Sku;
use chassis::mutant::{self, Mutant};
use loms_domain::stock::{StockRow, StockRows};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend,
    EntityTrait as _, FromQueryResult, QueryFilter as _, Statement, Value,
};

use super::{Error, Stock};
use crate::entity::stock;

#[derive(FromQueryResult)]
struct Row {
    sku: i64,
    total: i64,
    reserved: i64,
}

impl TryFrom<Row> for StockRow {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
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
/// A failing database; a deadlock only with somebody who breaks the lock order.
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
    let sql = "select sku, total, reserved from stocks where sku = any($1) order by sku for update";
    let sql = match () {
        () if mutant::is_on(Mutant::CheckThenWrite) => {
            "select sku, total, reserved from stocks, pg_sleep(0.002) where sku = any($1)"
        }
        () if mutant::is_on(Mutant::UnsortedLocks) => {
            // With a pause between two locks.
            "select sku, total, reserved, pg_sleep(0.03)::text as pause from stocks where sku = any($1)
             order by md5(sku::text || pg_backend_pid()) for update"
        }
        () => sql,
    };
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [skus.into()]);
    let rows = tx.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| StockRow::try_from(Row::from_query_result(row, "")?))
        .collect()
}

/// Writes locked rows with one statement. A row that has become legal is held to that from now on.
///
/// # Errors
/// A failing database; a row that breaks the table's constraints.
pub(crate) async fn write(tx: &DatabaseTransaction, rows: &[StockRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let column = |read: fn(&StockRow) -> i64| -> Value {
        rows.iter().map(read).collect::<Vec<i64>>().into()
    };
    let values = [
        column(|row| row.sku.get()),
        column(|row| row.total),
        column(|row| row.reserved),
    ];
    let sql = "update stocks
               set total = row.total, reserved = row.reserved,
                   seeded_over = stocks.seeded_over and row.reserved > row.total
               from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as row (sku, total, reserved)
               where stocks.sku = row.sku";
    tx.execute_raw(Statement::from_sql_and_values(
        DbBackend::Postgres,
        sql,
        values,
    ))
    .await?;
    Ok(())
}

/// Makes a row without units unless there is one, so that it can be locked.
pub(crate) async fn create(tx: &DatabaseTransaction, sku: Sku) -> Result<(), Error> {
    let sql = "insert into stocks (sku, total, reserved, baseline_total) values ($1, 0, 0, 0)
               on conflict (sku) do nothing";
    tx.execute_raw(Statement::from_sql_and_values(
        DbBackend::Postgres,
        sql,
        [sku.get().into()],
    ))
    .await?;
    Ok(())
}

/// Records that units were put in or taken out by hand, so that the ledger still adds up.
pub(crate) async fn shift_baseline(
    tx: &DatabaseTransaction,
    sku: Sku,
    units: i64,
) -> Result<(), Error> {
    let sql = "update stocks set baseline_total = baseline_total + $2 where sku = $1";
    let values: [Value; 2] = [sku.get().into(), units.into()];
    tx.execute_raw(Statement::from_sql_and_values(
        DbBackend::Postgres,
        sql,
        values,
    ))
    .await?;
    Ok(())
}

/// Reads the rows of `skus` as they stand.
pub(crate) async fn find(db: &DatabaseConnection, skus: &[Sku]) -> Result<Vec<Stock>, Error> {
    let skus = skus.iter().map(|sku| sku.get());
    let rows = stock::Entity::find()
        .filter(stock::Column::Sku.is_in(skus))
        .all(db)
        .await?;
    rows.into_iter().map(Stock::try_from).collect()
}
