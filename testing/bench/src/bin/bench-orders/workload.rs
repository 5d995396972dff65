//! The flash sale: every buyer wants one of 100 units at the same moment.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chassis::fault::Coded as _;
use chassis::tasks::Tasks;
use futures::StreamExt as _;
use rand::Rng as _;
use schema::code::ErrorCode;
use schema::id::UserId;
use serde::Serialize;

use crate::endpoint::{caller, lines};
use crate::fixture::Fixture;

const UNITS: i64 = 100;
/// Each sale takes a new SKU.
static NEXT_SKU: AtomicI64 = AtomicI64::new(1_000_000);

/// The result of one sale.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    pub(crate) grouped: bool,
    pub(crate) buyers: usize,
    pub(crate) sold: u64,
    pub(crate) out_of_stock: u64,
    /// OVERLOADED responses; the buyer retries each with the same key.
    pub(crate) overloaded: u64,
    /// Any other result; there must be none.
    pub(crate) faults: u64,
    pub(crate) seconds: f64,
}

enum Ending {
    Sold,
    OutOfStock,
    Fault,
}

/// Has `buyers` order one unit each, all at the same time.
pub(crate) async fn run(
    fixture: &Fixture,
    grouped: bool,
    buyers: usize,
) -> anyhow::Result<Outcome> {
    let sku = NEXT_SKU.fetch_add(1, Ordering::Relaxed);
    fixture.stock(sku, 1, UNITS).await?;
    let serving = Tasks::new();
    let orders = fixture.orders(grouped, None, &serving);
    let started = Instant::now();
    let wants = (1..).take(buyers).map(|user: i64| {
        let orders = orders.clone();
        async move {
            let (caller, lines) = (caller(user)?, lines(sku, 1)?);
            let user = UserId::try_from(user)?;
            let mut overloaded = 0;
            loop {
                let ending = match orders.create(&caller, user, &lines).await {
                    Ok(answered) => match answered.value.refusal {
                        None => Ending::Sold,
                        Some(refusal) if refusal.code() == ErrorCode::OutOfStock => {
                            Ending::OutOfStock
                        }
                        Some(_) => Ending::Fault,
                    },
                    Err(error) if error.code() == ErrorCode::Overloaded => {
                        overloaded += 1;
                        let pause = rand::rng().random_range(5..50);
                        tokio::time::sleep(Duration::from_millis(pause)).await;
                        continue;
                    }
                    Err(_) => Ending::Fault,
                };
                return anyhow::Ok((ending, overloaded));
            }
        }
    });
    let mut endings = futures::stream::iter(wants).buffer_unordered(buyers);
    let mut outcome = Outcome {
        grouped,
        buyers,
        ..Outcome::default()
    };
    while let Some(ended) = endings.next().await {
        let (ending, overloaded) = ended?;
        outcome.overloaded += overloaded;
        match ending {
            Ending::Sold => outcome.sold += 1,
            Ending::OutOfStock => outcome.out_of_stock += 1,
            Ending::Fault => outcome.faults += 1,
        }
    }
    outcome.seconds = started.elapsed().as_secs_f64();
    drop(endings);
    serving.shutdown(Duration::from_secs(10)).await;
    Ok(outcome)
}
