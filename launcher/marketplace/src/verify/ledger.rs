//! The promises about orders and stock, inside the order service's database.

use chassis::{postgres::sql::Described, sql};

use super::{
    Finding,
    stores::{Promise, Stores},
};

static UNITS_SOLD: Promise = Promise {
    id: "I1",
    promise: "of every SKU, what is there and what was sold is what was put in",
    sql: sql!("sql/units_sold.sql"),
};
static UNITS_RESERVED: Promise = Promise {
    id: "I2",
    promise: "what is reserved is what unpaid orders and the seed hold",
    sql: sql!("sql/units_reserved.sql"),
};
static STOCK_EVENTS: Promise = Promise {
    id: "I2a",
    promise: "the last event of a SKU tells what is free of it, and no version is left out",
    sql: sql!("sql/stock_events.sql"),
};
static KEYS: Promise = Promise {
    id: "I4",
    promise: "one key, one order",
    sql: sql!("sql/keys.sql"),
};
static LINES: Promise = Promise {
    id: "I5",
    promise: "every order was asked for: it has lines",
    sql: sql!("sql/lines.sql"),
};
static HISTORY: Promise = Promise {
    id: "I7a",
    promise: "an order stands where its last event says, and no version is left out",
    sql: sql!("sql/history.sql"),
};

static RESPONSES: Promise = Promise {
    id: "I4a",
    promise: "a stored response answers its own user, with what its order's events say",
    sql: sql!("sql/responses.sql"),
};
static LEGAL: Promise<(bool,)> = Promise {
    id: "I7b",
    promise: "an order's events are one legal life of one buyer's order",
    sql: sql!("sql/legal.sql"),
};

const PROMISES: [&Promise; 7] = [
    &UNITS_SOLD,
    &UNITS_RESERVED,
    &STOCK_EVENTS,
    &KEYS,
    &RESPONSES,
    &LINES,
    &HISTORY,
];

/// The statements, for the order service's database.
pub(super) fn statements() -> impl Iterator<Item = &'static dyn Described> {
    PROMISES
        .into_iter()
        .map(|promise| &promise.sql as &dyn Described)
        .chain([&LEGAL.sql as &dyn Described])
}

/// # Errors
/// When the database does not answer.
pub(super) async fn look(stores: &Stores) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::with_capacity(PROMISES.len());
    for promise in PROMISES {
        findings.push(promise.check(&stores.loms, ()).await?);
    }
    let legal = LEGAL.check(&stores.loms, (stores.orders_expire,)).await?;
    findings.push(legal);
    Ok(findings)
}
