//! Every statement of this service that the query builder cannot say, for the test that prepares them.

use chassis::postgres::sql::Described;

use crate::{order::store as order, stock::store as stock};

/// The statements, each to be prepared against the service's database.
#[must_use]
pub fn statements() -> Vec<&'static dyn Described> {
    vec![
        &order::FIND_ORDERS,
        &order::HELD_ORDERS,
        &order::HELD_STOCKS,
        &order::HOLDINGS,
        &order::INSERT_LINES,
        &order::INSERT_ORDERS,
        &order::LIST_HISTORY,
        &order::LIST_OF_EACH,
        &order::LOCK_DUE,
        &order::LOCK_ORDERS,
        &order::SET_STATUS,
        &order::TOTALS,
        &stock::WRITE_STOCKS,
    ]
}
