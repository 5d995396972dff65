//! A storm: the router is killed, and all its subscribers come back at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::ensure;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use rand::Rng as _;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    frames::Frames,
    load::buy,
    row::Row,
    subscriber::{Subscriber, Wire, Wish, open_all},
    suite::Bench,
};

const MINE: &str = "subscription { myOrderEvents { cursor kind orderId version status at } }";
/// Users of the storm; each has several streams.
const USERS: usize = 2_000;
/// Orders a second meanwhile.
const RATE: u32 = 25;
/// How long a client waits for an answer before it tries again.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a client waits before its second try; twice that before the third, and so on up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const LASTS: Duration = Duration::from_secs(30);

/// What all clients of the storm share.
#[derive(Debug)]
struct Storm {
    frames: Frames,
    /// Milliseconds from the break to the stream being open again.
    back: Mutex<Histogram<u64>>,
    is_over: AtomicBool,
}

/// Kills the router under everybody.
///
/// # Errors
/// When not all come back.
pub(crate) async fn storm(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    let size = bench.sizes.identical;
    let tokens = bench.shop.tokens(USERS.min(size)).await?;
    bench.shop.renew_router().await?;
    let wishes = tokens
        .iter()
        .map(|token| bench.wish(Wire::Sse, MINE, token.clone()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let storm = Arc::new(Storm {
        frames: Frames::default(),
        back: Mutex::new(Histogram::new_with_bounds(1, 600_000, 3)?),
        is_over: AtomicBool::new(false),
    });
    let mut clients = JoinSet::new();
    for (number, subscriber) in open_all(&wishes, size).await?.into_iter().enumerate() {
        let wish = wishes[number % wishes.len()].clone();
        clients.spawn(stay(subscriber, wish, number, Arc::clone(&storm)));
    }
    bench.shop.has_open(size).await?;
    let killed = async {
        sleep(LASTS / 4).await;
        bench.shop.kill_router()
    };
    let (_bought, killed) = tokio::join!(buy(bench.shop, &tokens, RATE, LASTS), killed);
    killed?;
    bench.shop.has_open(size).await?;
    sleep(Duration::from_secs(2)).await;
    storm.is_over.store(true, Relaxed);
    clients.shutdown().await;
    let back = storm.back.lock();
    ensure!(
        back.len() >= u64::try_from(size)?,
        "{} came back",
        back.len()
    );
    let name = format!("{size} clients, their router killed");
    let seconds = |millis: u64| f64::from(u32::try_from(millis).unwrap_or(u32::MAX)) / 1e3;
    let again = seconds(back.value_at_quantile(0.99));
    bench.add(Row::goal(
        format!("{name}: open again, p99"),
        "s",
        again,
        5.0,
    ));
    let lag = storm.frames.lag(0.99) / 1e3;
    bench.add(Row::goal(
        format!("{name}: lag of frames, p99"),
        "s",
        lag,
        5.0,
    ));
    Ok(())
}

/// Reads, and comes back whenever the stream breaks.
async fn stay(mut subscriber: Subscriber, wish: Wish, number: usize, storm: Arc<Storm>) {
    loop {
        let why = subscriber.read(&storm.frames).await;
        if storm.is_over.load(Relaxed) {
            return;
        }
        let (cursor, since) = (subscriber.cursor.take(), Instant::now());
        drop((subscriber, why));
        subscriber = come_back(&wish, number, cursor).await;
        let took = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        storm.back.lock().saturating_record(took);
    }
}

async fn come_back(wish: &Wish, number: usize, cursor: Option<String>) -> Subscriber {
    let mut pause = FIRST_PAUSE;
    loop {
        // Never together with the others.
        let share = rand::rng().random_range(0.5..1.5);
        sleep(pause.mul_f64(share)).await;
        let opening = Subscriber::open(wish, number, cursor.clone());
        if let Ok(Ok(opened)) = timeout(PATIENCE, opening).await {
            return opened;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
