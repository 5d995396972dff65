//! Group commit against a transaction for each order: closed loops of clients, in turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::tasks::Tasks;
use hdrhistogram::Histogram;
use idempotency::Key;
use indicatif::ProgressBar;
use loms::order::Orders;
use loms::{Access, Caller};
use loms_domain::lines::{Line, Lines};
use parking_lot::Mutex;
use rand::Rng as _;
use schema::id::{Quantity, Sku, UserId};
use serde::Serialize;
use uuid::Uuid;

use crate::ground::{FIRST_SKU, Ground, SKUS};

/// Clients that ask at once.
pub(crate) const CLIENTS: [usize; 4] = [1, 8, 64, 256];

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

/// Runs every point: the sides in turns, the first turn of each thrown away.
pub(crate) async fn run(
    ground: &Ground,
    turns: u32,
    turn: Duration,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Outcome>> {
    let sides = [true, false].map(|grouped| (grouped, ground.orders(grouped, None)));
    let mut outcomes = Vec::new();
    for shelf in Shelf::ALL {
        for clients in CLIENTS {
            bar.set_message(format!("{clients} clients, {}", shelf.name()));
            let mut found = [(); 2].map(|()| (Vec::new(), histogram()));
            for number in 0..=turns {
                for ((_, orders), (rates, latencies)) in sides.iter().zip(&mut found) {
                    let (rate, seen) = one_turn(orders, shelf, clients, turn).await?;
                    // The first turn fills caches and pools.
                    if number > 0 {
                        rates.push(rate);
                        latencies.add(&seen)?;
                        bar.inc(1);
                    }
                }
            }
            for ((grouped, _), (turns, latencies)) in sides.iter().zip(found) {
                outcomes.push(Outcome {
                    shelf,
                    clients,
                    grouped: *grouped,
                    turns,
                    p50: milliseconds(&latencies, 0.5),
                    p99: milliseconds(&latencies, 0.99),
                });
            }
        }
    }
    Ok(outcomes)
}

/// Lets `clients` order one after another for as long as a turn is.
async fn one_turn(
    orders: &Orders,
    shelf: Shelf,
    clients: usize,
    turn: Duration,
) -> anyhow::Result<(f64, Histogram<u64>)> {
    let tasks = Tasks::new();
    let seen = Arc::new(Mutex::new((histogram(), Vec::new())));
    let started = Instant::now();
    for _ in 0..clients {
        let (orders, seen) = (orders.clone(), Arc::clone(&seen));
        tasks.spawn("client", async move {
            let mut own = histogram();
            while started.elapsed() < turn {
                let asked = Instant::now();
                if let Err(error) = order(&orders, shelf.draw()).await {
                    seen.lock().1.push(error);
                    return;
                }
                own.saturating_record(micros(asked.elapsed()));
            }
            seen.lock().0 += own;
        });
    }
    let late = tasks.shutdown(Duration::from_secs(60)).await;
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

/// One order of two units, with a key.
async fn order(orders: &Orders, sku: i64) -> anyhow::Result<()> {
    let outcome = orders
        .create(&caller(1)?, UserId::try_from(1)?, &lines(sku, 2)?)
        .await?;
    anyhow::ensure!(outcome.answer.refusal.is_none(), "the shelves are empty");
    Ok(())
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
