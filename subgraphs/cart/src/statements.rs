//! Every statement of this service that the query builder cannot say, for the test that prepares them.

use chassis::postgres::sql::Described;

use crate::{
    cart::store::postgres::DELETE_LINES,
    checkout::store::{postgres::SUBTRACT_ORDERED, retention::DELETE_ENDED},
};

/// The statements, each to be prepared against the service's database.
#[must_use]
pub fn statements() -> Vec<&'static dyn Described> {
    vec![&DELETE_LINES, &SUBTRACT_ORDERED, &DELETE_ENDED]
}
