//! A closed loop of clients that ask one gateway one question for a while.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use serde::Serialize;

use crate::gateway::Gateway;

/// One turn of one gateway.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Turn {
    pub(crate) requests: usize,
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Processor time of the gateway, in milliseconds a request.
    pub(crate) cpu_ms: f64,
    pub(crate) rss_mib: u64,
    pub(crate) subgraph_requests: u64,
}

/// Keeps so many requests under way for a while.
///
/// # Errors
/// When one fails, or has another length than the first.
pub(crate) async fn run(
    gateway: &Gateway,
    query: &str,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Turn> {
    let body = serde_json::json!({ "query": query }).to_string();
    let length = gateway.send(&body).await?.len();
    let before = gateway.used()?;
    let start = Instant::now();
    let clients = (0..connections).map(|_| one(gateway, &body, length, start + time));
    let mut latencies = try_join_all(clients).await?.concat();
    let elapsed = start.elapsed().as_secs_f64();
    let after = gateway.used()?;
    latencies.sort_unstable();
    let requests = latencies.len();
    let count = f64::from(u32::try_from(requests).context("too many requests")?);
    let at = |percent: usize| {
        let index = requests.saturating_sub(1) * percent / 100;
        latencies.get(index).map_or(0.0, Duration::as_secs_f64) * 1e3
    };
    Ok(Turn {
        requests,
        rate: count / elapsed,
        p50_ms: at(50),
        p99_ms: at(99),
        cpu_ms: (after.seconds - before.seconds) * 1e3 / count.max(1.0),
        rss_mib: after.mib,
        subgraph_requests: 0,
    })
}

async fn one(
    gateway: &Gateway,
    body: &str,
    length: usize,
    end: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        let answer = gateway.send(body).await?;
        latencies.push(start.elapsed());
        ensure!(
            answer.len() == length,
            "{} answers otherwise",
            gateway.name()
        );
    }
    Ok(latencies)
}
