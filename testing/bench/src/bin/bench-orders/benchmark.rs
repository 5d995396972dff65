//! Group commit against a transaction for each order: closed loops of clients, in turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::tasks::Tasks;
use hdrhistogram::Histogram;
use idempotency::Key;
use indicatif::ProgressBar;
use loms::{Access, Caller};
use loms_domain::lines::{Line, Lines};
use parking_lot::Mutex;
use rand::Rng as _;
use schema::id::{Quantity, Sku, UserId};
use serde::Serialize;
use uuid::Uuid;

use crate::door::{Door, Shop};
use crate::ground::{FIRST_SKU, Ground, SKUS};

/// Clients that ask at once.
pub(crate) const CLIENTS: [usize; 4] = [1, 8, 64, 256];

/// The longest wait for what runs to end.
const END: Duration = Duration::from_secs(60);

/// Which goods are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shelf {
    /// One of a thousand SKUs.
    Spread,
    /// All the same.
    Hot,
}

impl Shelf {
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

/// One side at one point.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) door: Door,
    pub(crate) shelf: Shelf,
    pub(crate) clients: usize,
    pub(crate) grouped: bool,
    /// Orders a second of each turn, in the order in which they were run.
    pub(crate) turns: Vec<f64>,
    /// Milliseconds, over all turns.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Outcome {
    /// The middle turn's orders a second.
    pub(crate) fn rate(&self) -> f64 {
        let mut turns = self.turns.clone();
        turns.sort_by(f64::total_cmp);
        turns.get(turns.len() / 2).copied().unwrap_or(0.0)
    }
}

/// Runs every point behind `door`: the sides in turns, the first turn of each thrown away.
pub(crate) async fn run(
    ground: &Ground,
    door: Door,
    (turns, turn): (u32, Duration),
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Outcome>> {
    let serving = Tasks::new();
    let sides = [
        (true, Shop::open(ground, door, true, &serving).await?),
        (false, Shop::open(ground, door, false, &serving).await?),
    ];
    let mut outcomes = Vec::new();
    let shelves = Shelf::ALL.into_iter();
    for (shelf, clients) in shelves.flat_map(|shelf| CLIENTS.map(|clients| (shelf, clients))) {
        let (door_name, goods) = (door.name(), shelf.name());
        bar.set_message(format!("{door_name}, {clients} clients, {goods}"));
        let mut found = [(); 2].map(|()| (Vec::new(), histogram()));
        // The first turn fills caches and pools.
        for is_warm in (0..=turns).map(|number| number > 0) {
            for ((_, shop), (rates, latencies)) in sides.iter().zip(&mut found) {
                let (rate, seen) = one_turn(shop, shelf, clients, turn).await?;
                // What one side left to the relay must not slow the other.
                door.settle(ground).await?;
                if is_warm {
                    rates.push(rate);
                    latencies.add(&seen)?;
                    bar.inc(1);
                }
            }
        }
        for ((grouped, _), (turns, latencies)) in sides.iter().zip(found) {
            outcomes.push(Outcome {
                door,
                shelf,
                clients,
                grouped: *grouped,
                turns,
                p50: milliseconds(&latencies, 0.5),
                p99: milliseconds(&latencies, 0.99),
            });
        }
    }
    drop(sides);
    let late = serving.shutdown(END).await;
    anyhow::ensure!(late.is_empty(), "a service did not end: {late:?}");
    Ok(outcomes)
}

/// Lets `clients` order one after another for as long as a turn is.
async fn one_turn(
    shop: &Shop,
    shelf: Shelf,
    clients: usize,
    turn: Duration,
) -> anyhow::Result<(f64, Histogram<u64>)> {
    let tasks = Tasks::new();
    let seen = Arc::new(Mutex::new((histogram(), Vec::new())));
    let started = Instant::now();
    for client in 0..clients {
        let (shop, seen) = (shop.clone(), Arc::clone(&seen));
        tasks.spawn("client", async move {
            let mut own = histogram();
            while started.elapsed() < turn {
                let asked = Instant::now();
                if let Err(error) = shop.order(client, shelf.draw(), 2).await {
                    seen.lock().1.push(error);
                    return;
                }
                own.saturating_record(micros(asked.elapsed()));
            }
            seen.lock().0 += own;
        });
    }
    let late = tasks.shutdown(END).await;
    anyhow::ensure!(late.is_empty(), "a client did not end");
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

/// A buyer with a key that nobody has had.
pub(crate) fn caller(user: i64) -> anyhow::Result<Caller> {
    let user = UserId::try_from(user)?;
    Ok(Caller {
        access: Access::Owner(user),
        user: Some(user),
        key: Some(Key::try_from(Uuid::new_v4().to_string())?),
        traceparent: None,
    })
}

/// An order's only line.
pub(crate) fn lines(sku: i64, count: u32) -> anyhow::Result<Lines> {
    Ok(Lines::new(vec![Line {
        sku: Sku::try_from(sku)?,
        quantity: Quantity::try_from(count)?,
        unit_price: None,
    }])?)
}

/// Microseconds, up to a minute, to three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are in order")
}

pub(crate) fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

pub(crate) fn milliseconds(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    let micros = u32::try_from(latencies.value_at_quantile(quantile)).unwrap_or(u32::MAX);
    f64::from(micros) / 1_000.0
}
