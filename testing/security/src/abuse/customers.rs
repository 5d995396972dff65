//! Customers with orders, so that a page of orders holds what it says.

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::patience;
use crate::stack::Stack;

/// A page of orders.
const ORDERS: usize = 100;
const USER: i64 = 7_001;
const USER_OF_MUCH: i64 = 7_002;
/// Lines of each order.
const LINES: usize = 10;
const LINES_OF_MUCH: usize = 100;
/// Products of the seed.
const SKUS: [u64; 9] = [
    1_076_963,
    1_148_162,
    2_956_315,
    2_958_025,
    3_596_599,
    3_618_852,
    4_288_068,
    4_465_995,
    139_275_865,
];

/// Their tokens.
#[derive(Debug)]
pub(super) struct Customers {
    /// Of one with a hundred orders of ten lines.
    pub(super) token: String,
    /// Of one with a hundred orders of 100 lines.
    pub(super) token_of_much: String,
}

impl Customers {
    /// Makes their orders.
    ///
    /// # Errors
    /// When they do not read as many orders and lines as were made.
    pub(super) async fn with_orders(stack: &Stack) -> anyhow::Result<Self> {
        Ok(Self {
            token: customer(stack, USER, LINES).await?,
            token_of_much: customer(stack, USER_OF_MUCH, LINES_OF_MUCH).await?,
        })
    }
}

async fn customer(stack: &Stack, user: i64, lines: usize) -> anyhow::Result<String> {
    let token = stack.token(user, false).await?;
    let orders = stream::iter(0..ORDERS).map(|_| order(stack, user, lines));
    let orders = orders.buffer_unordered(4);
    orders.try_collect::<()>().await?;
    let query = "{ me { orders(first: 100) { nodes { id } } } }";
    let page = ask(stack, &token, query).await?;
    let nodes = page["data"]["me"]["orders"]["nodes"].as_array();
    let nodes = nodes.with_context(|| format!("no page of orders: {page}"))?;
    ensure!(
        nodes.len() == ORDERS,
        "user {user} has {} orders",
        nodes.len()
    );
    let query = format!(
        "{{ order(id: {}) {{ lines {{ count }} }} }}",
        nodes[0]["id"]
    );
    let first = ask(stack, &token, &query).await?;
    let found = first["data"]["order"]["lines"]
        .as_array()
        .map_or(0, Vec::len);
    ensure!(
        found == lines,
        "an order of user {user} has {found} lines: {first}"
    );
    Ok(token)
}

/// Over REST, where no customer's limits count. One that is short of stock is an order too, which failed.
async fn order(stack: &Stack, user: i64, lines: usize) -> anyhow::Result<()> {
    let skus = SKUS.iter().cycle().take(lines);
    let items: Vec<Value> = skus.map(|sku| json!({"sku": sku, "count": 1})).collect();
    let url = format!("{}/order/create", stack.url(8084));
    let body = json!({"userId": user, "items": items});
    let answer = patience::send(|| stack.http.post(&url).json(&body)).await?;
    let status = answer.status();
    let body: Value = answer.json().await?;
    let is_made = status == StatusCode::OK || body["code"] == 9;
    ensure!(is_made, "no order: {status} {body}");
    Ok(())
}

async fn ask(stack: &Stack, token: &str, query: &str) -> anyhow::Result<Value> {
    let (url, body) = (
        format!("{}/graphql", stack.url(4000)),
        json!({"query": query}),
    );
    let request = || stack.http.post(&url).bearer_auth(token).json(&body);
    Ok(patience::send(request).await?.json().await?)
}
