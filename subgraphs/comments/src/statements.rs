//! What of the comments' SQL and tables a test compares with the migrated schema.

use chassis::postgres::sql::{Described, Table};

use crate::{
    comment::store::{INSERT, LIST_BY_AUTHOR, LIST_BY_SKU},
    entity,
};

/// Every statement that is not the query builder's.
#[must_use]
pub fn statements() -> Vec<&'static dyn Described> {
    vec![&INSERT, &LIST_BY_SKU, &LIST_BY_AUTHOR]
}

/// Every table that the query builder reads or writes.
#[must_use]
pub fn tables() -> Vec<Table> {
    vec![Table::of::<entity::comment::Entity>()]
}
