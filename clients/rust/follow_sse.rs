//! Every change of your orders, each once, over server-sent events: reqwest and nothing else.
//!
//! `MARKETPLACE_TOKEN=… cargo run -p e2e --example follow_sse` prints a line of order and version for each. Nothing is lost or
//! doubled over broken connections and restarted routers: each connection goes on behind the last cursor.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of a client's own"
)]

use std::{env, time::Duration};

use anyhow::{Context as _, bail};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

const QUERY: &str = "subscription { myOrderEvents { kind cursor orderId version status } }";
/// A sign of life comes every 12 seconds; longer silence is a broken connection.
const SILENCE: Duration = Duration::from_secs(40);
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);

/// The codes of ends that the router, or its successor, goes on after.
const PASSING: [&str; 6] = [
    "SERVER_DRAINING",
    "SLOW_CONSUMER",
    "UNAVAILABLE",
    "OVERLOADED",
    "RATE_LIMITED",
    "DEADLINE_EXCEEDED",
];

/// How one connection ended that did not fail for good.
enum Ended {
    /// The router completed the stream.
    Complete,
    /// The stream goes on from its cursor.
    Paused,
}

struct Follower {
    http: Client,
    url: String,
    cursor: Option<String>,
    pause: Duration,
}

impl Follower {
    /// Hands every frame to `take`, until the router completes the stream or refuses it for good. A frame of kind GAP says
    /// that history is gone: read again what you keep.
    async fn follow(&mut self, mut take: impl FnMut(&Value)) -> anyhow::Result<()> {
        while let Ended::Paused = self.connection(&mut take).await? {
            // At random, so that all clients of one router do not come back at once.
            sleep(self.pause.mul_f64(rand::random_range(0.1..1.0))).await;
            self.pause = (2 * self.pause).min(LONGEST);
        }
        Ok(())
    }

    async fn connection(&mut self, take: &mut impl FnMut(&Value)) -> anyhow::Result<Ended> {
        if self.cursor.is_none() {
            // Asked first, so that a break before the first frame loses nothing.
            let asked = self.post("{ orderEventsCursor }", "application/json");
            let Some(response) = asked.await? else {
                return Ok(Ended::Paused);
            };
            let Ok(end) = response.json::<Value>().await else {
                return Ok(Ended::Paused);
            };
            if is_end(&end)? {
                return Ok(Ended::Paused);
            }
            self.cursor = end["data"]["orderEventsCursor"].as_str().map(str::to_owned);
        }
        let Some(mut response) = self.post(QUERY, "text/event-stream").await? else {
            return Ok(Ended::Paused);
        };
        let mut text = Vec::new();
        while let Ok(Ok(Some(chunk))) = timeout(SILENCE, response.chunk()).await {
            text.extend_from_slice(&chunk);
            while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = text.drain(..end + 2).collect();
                let block = String::from_utf8(block)?;
                if block.contains("event: complete\n") {
                    return Ok(Ended::Complete);
                }
                let data = block.lines().filter_map(|line| line.strip_prefix("data: "));
                let data: String = data.collect();
                if data.is_empty() {
                    continue; // a comment: the sign of life
                }
                let frame: Value = serde_json::from_str(&data)?;
                if is_end(&frame)? {
                    return Ok(Ended::Paused);
                }
                take(&frame["data"]["myOrderEvents"]);
                let cursor = frame["extensions"]["cursor"].as_str();
                self.cursor = Some(cursor.context("a frame has a cursor")?.to_owned());
                self.pause = FIRST;
            }
        }
        Ok(Ended::Paused)
    }

    /// The response, or `None` where another try helps.
    async fn post(&self, query: &str, accept: &str) -> anyhow::Result<Option<Response>> {
        // A real program asks its issuer for a token that has not ended.
        let request = self.http.post(&self.url).json(&json!({ "query": query }));
        let request = request.bearer_auth(env::var("MARKETPLACE_TOKEN")?);
        let cursor = self.cursor.as_deref().unwrap_or_default();
        let request = request.header("last-event-id", cursor);
        let Ok(response) = request.header("accept", accept).send().await else {
            return Ok(None);
        };
        match response.status() {
            StatusCode::OK => Ok(Some(response)),
            StatusCode::TOO_MANY_REQUESTS => Ok(None),
            status if status.is_server_error() => Ok(None),
            status => bail!("{status}: {}", response.text().await?),
        }
    }
}

/// Whether this is an end that passes; fails for one that does not.
fn is_end(result: &Value) -> anyhow::Result<bool> {
    if !result["data"].is_null() {
        return Ok(false);
    }
    let errors = result["errors"]
        .as_array()
        .context("neither data nor errors")?;
    let passes = |error: &Value| {
        let code = error["extensions"]["code"].as_str();
        code.is_some_and(|code| PASSING.contains(&code))
    };
    if errors.iter().all(passes) {
        return Ok(true);
    }
    bail!("{}", result["errors"])
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let url = env::var("MARKETPLACE_URL");
    let mut follower = Follower {
        http: Client::new(),
        url: url.unwrap_or_else(|_| "http://127.0.0.1:4000/graphql".to_owned()),
        cursor: None,
        pause: FIRST,
    };
    let print = |frame: &Value| {
        let order = frame["orderId"].as_str().unwrap_or("-");
        println!("{order} {}", frame["version"]);
    };
    follower.follow(print).await
}
