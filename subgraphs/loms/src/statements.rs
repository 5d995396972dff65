//! The statements and tables of this crate as data, for the test that compares them with the migrated database.

use chassis::postgres::sql::{Described, Table};

use crate::{
    entity::{order as orders, order_history, order_line, stock as stocks},
    order::store as order,
    stock::store as stock,
};

/// Every statement that is not the query builder's.
#[must_use]
pub fn statements() -> Vec<&'static dyn Described> {
    vec![
        &order::FIND_ORDERS,
        &order::INSERT_LINES,
        &order::INSERT_ORDERS,
        &order::LIST_HISTORY,
        &order::LOCK_DUE,
        &order::LOCK_ORDERS,
        &order::SET_STATUS,
        &stock::WRITE_STOCKS,
    ]
}

/// Every table that has an entity.
#[must_use]
pub fn tables() -> Vec<Table> {
    vec![
        Table::of::<orders::Entity>(),
        Table::of::<order_history::Entity>(),
        Table::of::<order_line::Entity>(),
        Table::of::<stocks::Entity>(),
    ]
}
