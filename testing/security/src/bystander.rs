//! A normal user beside an attack: what it sees must stay what it was.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::ensure;
use hdrhistogram::Histogram;
use reqwest::header;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{output::print, processor, stack::Stack};

/// Between two of its requests.
const PAUSE: Duration = Duration::from_millis(20);
/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it is watched alone.
const ALONE: Duration = Duration::from_secs(10);
/// Its p99 under an attack may be this many times its p99 alone.
const MAX_RATIO: f64 = 2.0;
/// Below this, a ratio says more about the machine than about the attack.
const FLOOR_MS: f64 = 25.0;
const USER: i64 = 8_001;

/// How an attack is held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// For how long.
    pub(crate) time: Duration,
    /// Fail when the user's p99 more than doubles. Otherwise only its failures count, because a debug build on a busy machine
    /// says nothing about times.
    pub(crate) enforce_latency: bool,
}

/// The head of the table to which [`watch`] adds a line.
pub(crate) const HEAD: &str = "| attack | alone p50 / p99 ms | under it p50 / p99 ms | asked | failed | MiB before / after | what was held |\n|---|---|---|---:|---:|---|---|";

/// Holds `attack` beside the user; `attack` ends by itself and tells what it held.
///
/// # Errors
/// Those of the attack; when a request of the user failed, or its p99 more than doubled where that is enforced.
pub(crate) async fn watch(
    stack: &Stack,
    name: &str,
    held: Held,
    attack: impl Future<Output = anyhow::Result<String>>,
) -> anyhow::Result<()> {
    let alone = ask(stack, Some(ALONE.min(held.time)), &AtomicBool::new(false)).await?;
    let memory = || stack.services().iter().map(processor::memory).sum::<u64>();
    let (before, ended) = (memory(), AtomicBool::new(false));
    let attack = async {
        let told = attack.await;
        ended.store(true, Ordering::Relaxed);
        told
    };
    let (told, under) = tokio::join!(attack, ask(stack, None, &ended));
    let (told, under) = (told?, under?);
    print(&format!(
        "| {name} | {:.1} / {:.1} | {:.1} / {:.1} | {} | {} | {before} / {} | {told} |",
        alone.at(0.5),
        alone.at(0.99),
        under.at(0.5),
        under.at(0.99),
        under.times.len(),
        under.failed,
        memory(),
    ))?;
    ensure!(
        under.failed == 0,
        "{name}: {} of {} requests of a normal user failed",
        under.failed,
        under.times.len()
    );
    let (was, is) = (alone.at(0.99), under.at(0.99));
    ensure!(
        !held.enforce_latency || is <= (was * MAX_RATIO).max(FLOOR_MS),
        "{name}: the p99 of a normal user was {was:.1} ms and became {is:.1} ms"
    );
    Ok(())
}

/// What it saw.
struct Seen {
    times: Histogram<u64>,
    failed: u64,
}

impl Seen {
    /// In milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of seconds")]
    fn at(&self, quantile: f64) -> f64 {
        self.times.value_at_quantile(quantile) as f64 / 1_000.0
    }
}

/// Asks again and again, on new connections every time, until `span` is over or `ended`.
async fn ask(stack: &Stack, span: Option<Duration>, ended: &AtomicBool) -> anyhow::Result<Seen> {
    let token = stack.token(USER, false).await?;
    let query = json!({"query": "{ me { id cart { itemCount } } product(sku: \"1076963\") { sku stock { available } } }"});
    let mut seen = Seen {
        times: Histogram::new(3)?,
        failed: 0,
    };
    let started = Instant::now();
    while !ended.load(Ordering::Relaxed) && span.is_none_or(|span| started.elapsed() < span) {
        let asked = Instant::now();
        let request = stack
            .http
            .post(format!("{}/graphql", stack.url(4000)))
            .json(&query);
        let request = request
            .bearer_auth(&token)
            .header(header::CONNECTION, "close");
        let answer = timeout(PATIENCE, request.send()).await;
        let is_served = match answer {
            Ok(Ok(answer)) if answer.status().is_success() => {
                let body: serde_json::Value = answer.json().await.unwrap_or_default();
                body["data"].is_object() && body.get("errors").is_none()
            }
            _ => false,
        };
        seen.failed += u64::from(!is_served);
        let micros = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        seen.times.record(micros)?;
        sleep(PAUSE).await;
    }
    Ok(seen)
}
