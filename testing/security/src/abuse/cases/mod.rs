//! The list. `number` makes each request a text that no cache has seen.

mod documents;
mod requests;

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{customers::Customers, verdict::Expected};
use crate::stack::Stack;

/// A request that should cost its sender more than us.
pub(super) struct Abuse {
    pub(super) name: &'static str,
    pub(super) expected: Expected,
    pub(super) request: fn(&Stack, &Customers, u64) -> RequestBuilder,
}

const NOT_VALID: Expected = Expected::Refused(&["GRAPHQL_VALIDATION_FAILED"]);

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Abuse> {
    documents::ALL.iter().chain(&requests::ALL)
}

fn post(stack: &Stack, body: &Value) -> RequestBuilder {
    stack
        .http
        .post(format!("{}/graphql", stack.url(4000)))
        .json(body)
}

fn anonymous(stack: &Stack, query: &str) -> RequestBuilder {
    post(stack, &json!({"query": query}))
}

fn as_user(stack: &Stack, token: &str, body: &Value) -> RequestBuilder {
    post(stack, body).bearer_auth(token)
}

/// Fragments each of which is the one before, twice.
fn bomb(levels: u32) -> String {
    let doubled = (1..=levels).map(|it| {
        format!(
            "fragment f{it} on Query {{ ...f{} ...f{} }} ",
            it - 1,
            it - 1
        )
    });
    let doubled: String = doubled.collect();
    format!("{{ ...f{levels} }} fragment f0 on Query {{ __typename }} {doubled}")
}
