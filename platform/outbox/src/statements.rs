//! Every statement of this crate, for the test that holds them against a migrated database.

use chassis::postgres::sql::Described;

use crate::{append, relay, retention, send_again};

/// Every statement of this crate.
#[must_use]
pub fn statements() -> Vec<&'static dyn Described> {
    let mut all: Vec<&dyn Described> = vec![
        &append::APPEND,
        &retention::RETIRE,
        &retention::RETIRE_TOPICS,
        &send_again::SEND_AGAIN,
    ];
    all.extend(relay::statements());
    all
}
