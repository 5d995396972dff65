//! Queries that come at a steady rate and wait for nobody, and how long each took.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use reqwest::{Client, header::CONTENT_TYPE};
use tokio::task::JoinSet;

use bench::server::Server;

const QUERY: &str = r#"{"query":"{ products(first: 5) { nodes { sku name price { amount } stock { available } } } }"}"#;

/// Queries that go on being asked.
#[derive(Debug)]
pub(crate) struct Queries {
    state: Arc<State>,
    _asking: JoinSet<()>,
}

#[derive(Debug, Default)]
struct State {
    /// When each began, and how long it took.
    answered: Mutex<Vec<(Instant, Duration)>>,
    /// For want of room, with nothing done.
    refused: AtomicUsize,
    failed: AtomicUsize,
}

impl Queries {
    /// Begins to ask so often a second.
    pub(crate) fn start(server: &Server, rate: u32) -> Self {
        let state = Arc::<State>::default();
        let mut asking = JoinSet::new();
        asking.spawn(ask_steadily(
            state.clone(),
            server.at(4000, "/graphql"),
            Duration::from_secs(1) / rate,
        ));
        Self {
            state,
            _asking: asking,
        }
    }

    /// Those that began since then and are answered.
    pub(crate) fn since(&self, start: Instant) -> Vec<Duration> {
        let answered = self.state.answered.lock();
        let since = answered.iter().filter(|(began, _)| *began >= start);
        since.map(|(_, took)| *took).collect()
    }

    /// Asks no more, and gives how many were refused for want of room, and how many failed.
    pub(crate) fn stop(self) -> (usize, usize) {
        let State {
            refused, failed, ..
        } = &*self.state;
        (refused.load(Relaxed), failed.load(Relaxed))
    }
}

async fn ask_steadily(state: Arc<State>, url: String, pause: Duration) {
    let client = Client::new();
    let mut ticks = tokio::time::interval(pause);
    let mut asked = JoinSet::new();
    loop {
        ticks.tick().await;
        while asked.try_join_next().is_some() {}
        let (state, request) = (state.clone(), client.post(&url));
        let request = request.header(CONTENT_TYPE, "application/json").body(QUERY);
        asked.spawn(async move {
            let began = Instant::now();
            let answer = async { request.send().await?.text().await };
            match answer.await {
                Ok(text) if !text.contains("\"errors\"") => {
                    state.answered.lock().push((began, began.elapsed()));
                }
                Ok(text) if text.contains("\"OVERLOADED\"") => {
                    state.refused.fetch_add(1, Relaxed);
                }
                Ok(_) | Err(_) => {
                    state.failed.fetch_add(1, Relaxed);
                }
            }
        });
    }
}

/// Latencies of one kind of time.
#[derive(Debug, Default)]
pub(crate) struct Window(Vec<Duration>);

impl Window {
    pub(crate) fn add(&mut self, latencies: Vec<Duration>) {
        self.0.extend(latencies);
        self.0.sort_unstable();
    }

    /// A percentile in milliseconds; 0 without samples.
    fn percentile(&self, percent: usize) -> f64 {
        let index = self.0.len().saturating_sub(1) * percent / 100;
        self.0.get(index).map_or(0.0, Duration::as_secs_f64) * 1e3
    }

    pub(crate) fn p99(&self) -> f64 {
        self.percentile(99)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, count) = (self.percentile(50), self.0.len());
        write!(f, "{p50:.1} and {:.1} of {count}", self.p99())
    }
}
