//! The stocks that a fresh marketplace starts with. Source: docs/contracts.md §4.

use chassis::postgres::StoreError;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement, Value};

/// Puts the stocks of the seed into the ledger; rows that are there stay as they are, so it may run at every start.
///
/// The units that the seed itself holds reserved are recorded, so that the ledger can be checked against the orders.
///
/// # Errors
/// [`StoreError`] when the statement fails.
pub async fn seed(db: &DatabaseConnection) -> Result<(), StoreError> {
    let stocks = ::schema::seed::stocks();
    let column = |read: fn(&::schema::seed::Stock) -> i64| -> Value {
        stocks.iter().map(read).collect::<Vec<i64>>().into()
    };
    let values = [
        column(|row| row.sku),
        column(|row| row.total),
        column(|row| row.reserved),
    ];
    let sql =
        "insert into stocks (sku, total, reserved, seeded_over, baseline_total, baseline_reserved)
               select sku, total, reserved, reserved > total, total, reserved
               from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as seed (sku, total, reserved)
               on conflict (sku) do nothing";
    db.execute_raw(Statement::from_sql_and_values(
        DbBackend::Postgres,
        sql,
        values,
    ))
    .await?;
    Ok(())
}
