//! Every statement of the chassis, for the test that holds them against a migrated database.

use crate::{
    durability,
    postgres::{primary, sql::Described, time},
};

/// Every statement that runs on any of our databases.
#[must_use]
pub fn statements() -> Vec<&'static dyn Described> {
    vec![&durability::LIST_RISKS, &time::NOW, &primary::PLACE]
}
