//! Every statement of this service that the query builder cannot say, for the test that prepares them.

use chassis::postgres::sql::Described;

use crate::comment::store::{INSERT, LIST_BY_AUTHOR, LIST_BY_SKU};

/// The statements, each to be prepared against the service's database.
#[must_use]
pub fn statements() -> Vec<&'static dyn Described> {
    vec![&INSERT, &LIST_BY_SKU, &LIST_BY_AUTHOR]
}
