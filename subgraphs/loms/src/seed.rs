//! The stocks that a fresh marketplace starts with. Source: docs/contracts.md §4.

use chassis::postgres::StoreError;
use sea_orm::{ActiveValue::Set, DatabaseConnection, EntityTrait as _, sea_query::OnConflict};

use crate::entity::stock;

/// Inserts the stocks of the seed; rows that are there stay as they are, so it may run at every start.
///
/// The units that the seed itself holds reserved are recorded, so that the ledger can be checked against the orders.
///
/// # Errors
/// [`StoreError`] when the statement fails.
pub async fn seed(db: &DatabaseConnection) -> Result<(), StoreError> {
    let rows = ::schema::seed::stocks().into_iter();
    let rows = rows.map(|row| stock::ActiveModel {
        sku: Set(row.sku),
        total: Set(row.total),
        reserved: Set(row.reserved),
        seeded_over: Set(row.reserved > row.total),
        baseline_total: Set(row.total),
        baseline_reserved: Set(row.reserved),
        version: Set(0),
    });
    stock::Entity::insert_many(rows)
        .on_conflict(
            OnConflict::column(stock::Column::Sku)
                .do_nothing()
                .to_owned(),
        )
        .exec_without_returning(db)
        .await?;
    Ok(())
}
