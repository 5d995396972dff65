//! The operators' console of an `up`: its API, and its page as an operator uses it in a browser.

mod api;
mod faults;
mod live;
mod people;
mod story;
mod traces;
mod trouble;

use serde_json::json;

use crate::browser::Browser;
use crate::shop::Shop;

/// On sale and in stock. Source: docs/contracts.md §4 and §5.
pub(crate) const SKU: &str = "1076963";

/// The console's address, as `up` prints it.
pub(crate) fn printed_link(shop: &Shop) -> String {
    let printed = shop.output();
    let mut lines = printed.lines();
    let line = lines.find_map(|line| line.trim().strip_prefix("Operations "));
    let link = line.unwrap_or_else(|| panic!("no link to the console in\n{printed}"));
    link.trim().to_owned()
}

/// Opens the console by that link and waits until it watches.
async fn open(browser: &Browser, shop: &Shop) {
    browser.open(&printed_link(shop)).await;
    browser.find("#stream[data-state='live']").await;
}

/// Buys as this user under this trace; the order's id.
pub(crate) async fn buy(shop: &Shop, user: i64, trace: &str) -> String {
    let token = shop.token(user, false).await;
    let add =
        "mutation($sku: ID!) { addToCart(input: {sku: $sku, count: 1}) { userErrors { code } } }";
    shop.graphql(&token, add, json!({"sku": SKU})).await;
    let query = "mutation { checkout { order { id } userErrors { code } } }";
    let request = shop.http().post(format!("{}/graphql", shop.url(4000)));
    let request = request.bearer_auth(token);
    let request = request.header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
    let response = request.json(&json!({"query": query})).send().await.unwrap();
    let answer: serde_json::Value = response.json().await.unwrap();
    let id = &answer["data"]["checkout"]["order"]["id"];
    id.as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// A trace's id that nobody else has.
pub(crate) fn new_trace() -> String {
    format!("{:032x}", rand::random::<u128>())
}
