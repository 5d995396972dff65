//! Rules that no kill would show: a stream ends with its token, a stranger sees no order, a draining process is not ready.

use std::time::Duration;

use anyhow::Context as _;
use chassis::principal::Scopes;
use dev_services::process::{Signal, send};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::environment::{Environment, local};
use crate::schedule::Target;

const WATCH: &str = "subscription { myOrderEvents { cursor } }";
const ENTITY: &str =
    "query($id: ID!) { _entities(representations: [{__typename: \"Order\", id: $id}]) {
    ... on Order { id } } }";
/// How long the short token is valid, and how much later its stream must have ended.
const TOKEN_TTL: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(4);
/// How long a process may take to drain.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// A stream ends when its token does.
pub(crate) async fn token_expiry(environment: &Environment) -> Option<String> {
    let token = environment.token(1, Scopes::CUSTOMER, TOKEN_TTL);
    let url = environment.router().join("graphql").ok()?;
    let request = reqwest::Client::new()
        .post(url)
        .bearer_auth(token)
        .header("accept", "text/event-stream")
        .json(&json!({ "query": WATCH }));
    let reading = async {
        let response = request.send().await.ok()?;
        let mut chunks = response.bytes_stream();
        while let Some(Ok(_)) = chunks.next().await {}
        Some(())
    };
    let ended = timeout(TOKEN_TTL + GRACE, reading).await.is_ok();
    (!ended).then(|| "streams: a stream goes on after its token has expired".to_owned())
}

/// `_entities` gives an order to its owner and not to a stranger.
pub(crate) async fn entities(environment: &Environment, owner: i64, order: &str) -> Option<String> {
    let ask = async |user: i64| -> anyhow::Result<Value> {
        let url = local(environment.settings.subgraphs.loms_listen).join("graphql")?;
        let token = environment.token(user, Scopes::CUSTOMER, TOKEN_TTL);
        let body = json!({ "query": ENTITY, "variables": { "id": order } });
        let (name, value) = environment.router_header().context("no key yet")?;
        let request = reqwest::Client::new()
            .post(url)
            .header(name, value)
            .bearer_auth(token);
        let response: Value = request.json(&body).send().await?.json().await?;
        Ok(response["data"]["_entities"][0].clone())
    };
    let (own, foreign) = (ask(owner).await, ask(owner + 1_000_000).await);
    match (own, foreign) {
        (Ok(own), Ok(Value::Null)) if own["id"] == order => None,
        (own, foreign) => Some(format!(
            "entities: order {order} is {own:?} to its owner and {foreign:?} to a stranger"
        )),
    }
}

/// A process that was asked to stop reports "not ready" while it finishes its work.
pub(crate) async fn draining(environment: &Environment) -> Option<String> {
    let url = local(environment.settings.router.admin_listen)
        .join("readyz")
        .ok()?;
    let client = reqwest::Client::new();
    let process = environment.find(Target::Router)?;
    let ready =
        |response: reqwest::Result<reqwest::Response>| response.map(|it| it.status() == 200);
    let before = ready(client.get(url.clone()).send().await);
    if !matches!(before, Ok(true)) {
        return Some("draining: the router was not ready before".to_owned());
    }
    send(process.pid, Signal::Term);
    let deadline = Instant::now() + DRAIN_LIMIT;
    let mut reported = false;
    while process.is_running() && Instant::now() < deadline {
        match ready(client.get(url.clone()).send().await) {
            Ok(false) => reported = true,
            Ok(true) if reported => {
                return Some("draining: ready again while it is stopping".to_owned());
            }
            Ok(true) | Err(_) => {}
        }
        sleep(Duration::from_millis(1)).await;
    }
    match (reported, process.is_running()) {
        (true, false) => None,
        (false, _) => Some("draining: never reported that it is not ready".to_owned()),
        (true, true) => Some(format!("draining: still running after {DRAIN_LIMIT:?}")),
    }
}
