//! Every statement of the notifier that the query builder cannot say, for the test that prepares them.

use chassis::postgres::sql::Described;

use crate::{dead_letter, retention, store, webhook};

/// The statements, each to be prepared against the database `notifier`.
#[must_use]
pub fn statements() -> Vec<&'static dyn Described> {
    let mut all: Vec<&dyn Described> = vec![
        &dead_letter::QUEUE_AGAIN,
        &retention::FORGET,
        &store::RECEIVE,
    ];
    all.extend(webhook::statements());
    all
}
