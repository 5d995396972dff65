//! What of the cart's SQL and tables a test compares with the migrated schema.

use chassis::postgres::sql::{Described, Table};

use crate::{
    cart::store::postgres::DELETE_LINES,
    checkout::store::{postgres::SUBTRACT_ORDERED, retention::DELETE_ENDED},
    entity,
};

/// Every statement that is not the query builder's.
#[must_use]
pub fn statements() -> Vec<&'static dyn Described> {
    vec![&DELETE_LINES, &SUBTRACT_ORDERED, &DELETE_ENDED]
}

/// Every table that the query builder reads or writes.
#[must_use]
pub fn tables() -> Vec<Table> {
    vec![
        Table::of::<entity::cart::Entity>(),
        Table::of::<entity::cart_line::Entity>(),
        Table::of::<entity::checkout::Entity>(),
        Table::of::<entity::checkout_key::Entity>(),
        Table::of::<entity::checkout_line::Entity>(),
    ]
}
