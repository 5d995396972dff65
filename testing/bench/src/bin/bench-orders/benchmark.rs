//! Compares group commit with a transaction for each order: closed loops of clients, in turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::tasks::Tasks;
use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use parking_lot::Mutex;
use rand::Rng as _;
use serde::Serialize;

use crate::endpoint::{Endpoint, OrderService};
use crate::fixture::{FIRST_SKU, Fixture, SKUS};
use crate::latency::{histogram, micros, milliseconds};

/// How many clients send orders at the same time.
pub(crate) const CLIENTS: [usize; 4] = [1, 8, 64, 256];

/// How long clients and services may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How the orders are spread over SKUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Demand {
    /// Each order wants one of 1,000 SKUs, drawn at random.
    Spread,
    /// All orders want the same SKU.
    Hot,
}

impl Demand {
    pub(crate) const ALL: [Self; 2] = [Self::Spread, Self::Hot];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Spread => "spread over 1,000 SKUs",
            Self::Hot => "one hot SKU",
        }
    }

    fn draw(self) -> i64 {
        match self {
            Self::Spread => rand::rng().random_range(FIRST_SKU..FIRST_SKU + SKUS),
            Self::Hot => FIRST_SKU,
        }
    }
}

/// What one variant, grouped or single, reached at one point.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) endpoint: Endpoint,
    pub(crate) demand: Demand,
    pub(crate) clients: usize,
    pub(crate) grouped: bool,
    /// Orders per second of each turn, in the order of the turns.
    pub(crate) turns: Vec<f64>,
    /// Milliseconds, over all turns.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Outcome {
    /// Orders per second of the median turn.
    pub(crate) fn rate(&self) -> f64 {
        let mut turns = self.turns.clone();
        turns.sort_by(f64::total_cmp);
        turns.get(turns.len() / 2).copied().unwrap_or(0.0)
    }
}

/// Measures every point at `endpoint`. The variants take turns, and the first turn of each is discarded.
pub(crate) async fn run(
    fixture: &Fixture,
    endpoint: Endpoint,
    (turns, turn): (u32, Duration),
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Outcome>> {
    let serving = Tasks::new();
    let variants = [
        (
            true,
            OrderService::start(fixture, endpoint, true, &serving).await?,
        ),
        (
            false,
            OrderService::start(fixture, endpoint, false, &serving).await?,
        ),
    ];
    let mut outcomes = Vec::new();
    let demands = Demand::ALL.into_iter();
    for (demand, clients) in demands.flat_map(|demand| CLIENTS.map(|clients| (demand, clients))) {
        let (name, spread) = (endpoint.name(), demand.name());
        bar.set_message(format!("{name}, {clients} clients, {spread}"));
        let mut found = [(); 2].map(|()| (Vec::new(), histogram()));
        // The first turn fills caches and pools.
        for is_warm in (0..=turns).map(|number| number > 0) {
            for ((_, service), (rates, latencies)) in variants.iter().zip(&mut found) {
                let (rate, seen) = one_turn(service, demand, clients, turn).await?;
                // The relay finishes what this turn left, so that it does not slow the other variant.
                endpoint.settle(fixture).await?;
                if is_warm {
                    rates.push(rate);
                    latencies.add(&seen)?;
                    bar.inc(1);
                }
            }
        }
        for ((grouped, _), (turns, latencies)) in variants.iter().zip(found) {
            outcomes.push(Outcome {
                endpoint,
                demand,
                clients,
                grouped: *grouped,
                turns,
                p50: milliseconds(&latencies, 0.5),
                p99: milliseconds(&latencies, 0.99),
            });
        }
    }
    drop(variants);
    let late = serving.shutdown(STOP_LIMIT).await;
    anyhow::ensure!(late.is_empty(), "a service did not stop: {late:?}");
    Ok(outcomes)
}

/// Runs `clients` closed loops, each placing one order after the other, for the length of `turn`.
async fn one_turn(
    service: &OrderService,
    demand: Demand,
    clients: usize,
    turn: Duration,
) -> anyhow::Result<(f64, Histogram<u64>)> {
    let tasks = Tasks::new();
    let seen = Arc::new(Mutex::new((histogram(), Vec::new())));
    let started = Instant::now();
    for client in 0..clients {
        let (service, seen) = (service.clone(), Arc::clone(&seen));
        tasks.spawn("client", async move {
            let mut own = histogram();
            while started.elapsed() < turn {
                let asked = Instant::now();
                if let Err(error) = service.order(client, demand.draw(), 2).await {
                    seen.lock().1.push(error);
                    return;
                }
                own.saturating_record(micros(asked.elapsed()));
            }
            seen.lock().0 += own;
        });
    }
    let late = tasks.shutdown(STOP_LIMIT).await;
    anyhow::ensure!(late.is_empty(), "a client did not stop");
    let took = started.elapsed().as_secs_f64();
    let (latencies, errors) = std::mem::replace(&mut *seen.lock(), (histogram(), Vec::new()));
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a turn has fewer than 2^52 orders"
    )]
    let rate = latencies.len() as f64 / took;
    Ok((rate, latencies))
}
