//! What was done, seen from behind.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::stack::Stack;

/// How many orders the user has.
///
/// # Errors
/// When nobody says.
pub(super) async fn stored(stack: &Stack, token: &str) -> anyhow::Result<usize> {
    let query = json!({"query": "{ me { orders(first: 1) { totalCount } } }"});
    let request = stack.http.post(format!("{}/graphql", stack.url(4000)));
    let answer = request.bearer_auth(token).json(&query).send().await?;
    let answer: Value = answer.json().await?;
    let total = answer["data"]["me"]["orders"]["totalCount"].as_u64();
    let total = total.with_context(|| format!("no count of orders: {answer}"))?;
    Ok(usize::try_from(total)?)
}
