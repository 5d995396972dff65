//! What the stock's use cases take and give.

use ::schema::id::Sku;
use loms_domain::stock::StockRow;
use serde::Serialize;

/// A row as it stands, outside any lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock(pub StockRow);

/// A row with the number of changes that its free units have had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The row.
    pub stock: Stock,
    /// The version of the last event of its SKU; 0 before the first.
    pub version: u32,
}

/// The new units on hand of a SKU.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SetStock {
    /// The product, greater than 0.
    #[serde(serialize_with = "number")]
    pub sku: Sku,
    /// Units on hand, 0 to 2^31 - 1 and not below what orders hold.
    pub total: i64,
    /// The total that the caller read; `None` overwrites whatever is there.
    pub expected: Option<i64>,
}

fn number<S: serde::Serializer>(sku: &Sku, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(sku.get())
}
