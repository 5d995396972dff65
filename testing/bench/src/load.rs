//! A closed loop of clients that ask one question for a while.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use reqwest::{Client, header::CONTENT_TYPE};

/// Latencies of one side.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    latencies: Vec<Duration>,
    time: Duration,
}

impl Samples {
    /// Takes in another turn of the same side.
    pub(crate) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
        self.time += other.time;
    }

    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.latencies.len()).unwrap_or(u32::MAX)) / self.time.as_secs_f64()
    }

    /// A percentile in milliseconds; 0 without samples.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let index = self.latencies.len().saturating_sub(1) * percent / 100;
        self.latencies.get(index).map_or(0.0, Duration::as_secs_f64) * 1e3
    }
}

/// Keeps `connections` requests under way for `time`.
pub(crate) async fn run(
    client: &Client,
    url: &str,
    query: &str,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Samples> {
    let body = serde_json::json!({ "query": query }).to_string();
    let start = Instant::now();
    let clients = (0..connections).map(|_| one(client, url, &body, start + time));
    let latencies = try_join_all(clients).await?.concat();
    let mut samples = Samples::default();
    samples.add(Samples {
        latencies,
        time: start.elapsed(),
    });
    Ok(samples)
}

async fn one(
    client: &Client,
    url: &str,
    body: &str,
    end: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        let request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_owned());
        let response = request
            .send()
            .await
            .with_context(|| url.to_owned())?
            .text()
            .await?;
        latencies.push(start.elapsed());
        ensure!(
            response.contains(r#""sku":"1076963""#),
            "{url} answered {response}"
        );
    }
    Ok(latencies)
}
