//! The promises about carts and checkouts: within their own database, and beside the orders that they became.
//!
//! A checkout and its order are in two databases, so they are read page by page: first the checkouts, then what the order
//! service has for them. What changes in between only makes an open checkout ordered, which breaks nothing.

use std::collections::HashMap;

use anyhow::Context as _;
use chassis::{
    clock::Clock,
    postgres::{
        DatabaseConnection,
        sql::{Described, Sql},
    },
    row, sql,
};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    EXAMPLES, Finding,
    stores::{Promise, Stores},
};

/// Checkouts that are compared at a time.
const PAGE: i64 = 1_000;
/// How long a checkout may be open although its order is there: a process died in between, and its customer has not asked again.
const UNSETTLED: TimeDelta = TimeDelta::minutes(10);

static CARTS: Promise = Promise {
    id: "I4b",
    promise: "a checkout ends once, for its own user, and its cart goes on without it",
    sql: sql!("sql/carts.sql"),
};

row! {
    struct CheckoutRow {
        id: Uuid,
        user_id: i64,
        state: String,
        order_id: Option<i64>,
        opened_at: DateTime<Utc>,
        lines: String,
        prices: String,
    }
}

row! {
    struct OrderedRow {
        id: i64,
        user_id: i64,
        checkout: Option<String>,
        lines: String,
        prices: Option<String>,
    }
}

static LIST_CHECKOUTS: Sql<(Uuid, i64), CheckoutRow> = sql!("sql/list_checkouts.sql");
static LIST_ORDERED: Sql<(Vec<i64>, Vec<String>), OrderedRow> = sql!("sql/list_ordered.sql");

/// The statements, for the carts' database.
pub(super) fn statements() -> [&'static dyn Described; 2] {
    [&CARTS.sql, &LIST_CHECKOUTS]
}

/// The statement, for the order service's database.
pub(super) fn loms_statements() -> [&'static dyn Described; 1] {
    [&LIST_ORDERED]
}

/// # Errors
/// When a database does not answer.
pub(super) async fn look(stores: &Stores) -> anyhow::Result<[Finding; 2]> {
    let carts = CARTS.check(&stores.cart, ()).await?;
    let mut ordered = Finding {
        id: "I5a",
        promise: "a checkout has the order that it says: of the same user, with the same lines and prices",
        checked: 0,
        broken: 0,
        examples: Vec::new(),
    };
    let mut after = Uuid::nil();
    loop {
        let page = LIST_CHECKOUTS.all(&stores.cart, (after, PAGE)).await?;
        let Some(last) = page.last() else {
            return Ok([carts, ordered]);
        };
        after = last.id;
        let orders = Orders::of(&page, &stores.loms).await?;
        let now = Clock::system().now();
        for checkout in &page {
            ordered.checked += 1;
            if let Some(wrong) = orders.wrong(checkout, now) {
                ordered.broken += 1;
                ordered.examples.push(wrong);
            }
        }
        ordered.examples.truncate(EXAMPLES);
    }
}

/// What the order service has for a page of checkouts.
#[derive(Default)]
struct Orders {
    by_id: HashMap<i64, OrderedRow>,
    /// The order that a checkout's key answers.
    by_checkout: HashMap<String, i64>,
}

impl Orders {
    async fn of(page: &[CheckoutRow], loms: &DatabaseConnection) -> anyhow::Result<Self> {
        let ids = page
            .iter()
            .filter_map(|checkout| checkout.order_id)
            .collect();
        let keys = page
            .iter()
            .map(|checkout| checkout.id.to_string())
            .collect();
        let rows = LIST_ORDERED.all(loms, (ids, keys)).await;
        let mut orders = Self::default();
        for row in rows.context("the orders of checkouts")? {
            if let Some(checkout) = row.checkout.clone() {
                orders.by_checkout.insert(checkout, row.id);
            }
            orders.by_id.insert(row.id, row);
        }
        Ok(orders)
    }

    /// What is wrong with a checkout, if anything is.
    fn wrong(&self, checkout: &CheckoutRow, now: DateTime<Utc>) -> Option<String> {
        let CheckoutRow { id, state, .. } = checkout;
        let answered = self.by_checkout.get(&id.to_string());
        let Some(order) = checkout.order_id else {
            let order = answered?;
            let is_late = state != "open" || now - checkout.opened_at > UNSETTLED;
            return is_late.then(|| format!("checkout {id} is {state}, and has order {order}"));
        };
        let Some(found) = self.by_id.get(&order) else {
            return Some(format!(
                "checkout {id} has order {order}, which is not there"
            ));
        };
        if let Some(other) = answered.filter(|other| **other != order) {
            return Some(format!(
                "checkout {id} has order {order}, its key answers {other}"
            ));
        }
        let (user, owner) = (checkout.user_id, found.user_id);
        if user != owner {
            return Some(format!(
                "checkout {id} of user {user} has order {order} of user {owner}"
            ));
        }
        if checkout.lines != found.lines {
            let (asked, has) = (&checkout.lines, &found.lines);
            return Some(format!(
                "checkout {id} asked for {asked}, order {order} has {has}"
            ));
        }
        let prices = found.prices.as_ref().filter(|it| **it != checkout.prices)?;
        let asked = &checkout.prices;
        Some(format!(
            "checkout {id} froze {asked}, order {order} has {prices}"
        ))
    }
}
