//! How events get from the commit into the topic: one by one at a steady rate, and a backlog.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chassis::clock::Clock;
use chassis::health::Health;
use chassis::tasks::Tasks;
use outbox::Relay;
use parking_lot::Mutex;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use schema::id::UserId;
use sea_orm::ConnectionTrait as _;
use serde::Serialize;
use tokio::time::{interval, timeout};

use crate::endpoint::{caller, lines};
use crate::fixture::{FIRST_SKU, Fixture, SKUS};
use crate::latency::{histogram, micros, milliseconds};

/// Orders a second of the steady load.
const RATE: u32 = 500;
/// What comes first and is not measured: the relay connects, and pools and caches fill.
const WARM_SECONDS: u64 = 1;
/// The longest wait for one more event.
const SILENCE: Duration = Duration::from_secs(10);

/// What was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// Orders a second, and how many there were.
    pub(crate) rate: u32,
    pub(crate) orders: u64,
    /// Milliseconds from the commit's answer to the event at a reader of the topic.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Events that waited, and how long their relay took.
    pub(crate) backlog: u32,
    pub(crate) backlog_seconds: f64,
}

/// Measures both, the backlog last.
pub(crate) async fn run(fixture: &Fixture, seconds: u64, backlog: u32) -> anyhow::Result<Outcome> {
    fixture.forget_unsent().await?;
    let mut outcome = steady(fixture, seconds).await?;
    outcome.backlog = backlog;
    outcome.backlog_seconds = drain(fixture, backlog).await?;
    Ok(outcome)
}

async fn steady(fixture: &Fixture, seconds: u64) -> anyhow::Result<Outcome> {
    let relaying = Tasks::new();
    let relay = start_relay(fixture, &relaying);
    let orders = fixture.orders(true, Some(relay), &relaying);
    let reader = read_from_the_end(fixture).await?;
    let committed = Arc::new(Mutex::new(HashMap::new()));
    let failed = Arc::new(Mutex::new(None));
    let buying = Tasks::new();
    let warm = WARM_SECONDS * u64::from(RATE);
    let wanted = warm + seconds * u64::from(RATE);
    let mut ticks = interval(Duration::from_secs(1) / RATE);
    let mut buy = async || {
        for number in 0..wanted {
            ticks.tick().await;
            let (orders, committed) = (orders.clone(), Arc::clone(&committed));
            let failed = Arc::clone(&failed);
            let sku = FIRST_SKU + i64::try_from(number).unwrap_or(0) % SKUS;
            let is_warm = number >= warm;
            buying.spawn("buyer", async move {
                let bought = buy_one(&orders, sku).await;
                let ended = Instant::now();
                match bought {
                    Ok(order) if is_warm => drop(committed.lock().insert(order, ended)),
                    Ok(_) => {}
                    Err(error) => *failed.lock() = Some(error),
                }
            });
        }
    };
    let read = async {
        let mut arrived = HashMap::new();
        while (arrived.len() as u64) < wanted {
            let message = timeout(SILENCE, reader.recv())
                .await
                .context("the topic is silent")??;
            let key = message.key().map(String::from_utf8_lossy);
            let order = key.and_then(|key| key.parse::<i64>().ok());
            let order = order.context("an event has its order as key")?;
            // Each order has two events; the second ends the wait.
            arrived.insert(order, Instant::now());
        }
        anyhow::Ok(arrived)
    };
    let ((), arrived) = tokio::join!(buy(), read);
    let late = buying.shutdown(SILENCE).await;
    anyhow::ensure!(late.is_empty(), "a buyer did not end");
    if let Some(error) = failed.lock().take() {
        return Err(error.context("an order of the steady load"));
    }
    let arrived = arrived?;
    let mut latencies = histogram();
    for (order, committed) in committed.lock().iter() {
        let arrived = arrived.get(order).context("an order has no event")?;
        latencies.saturating_record(micros(arrived.saturating_duration_since(*committed)).max(1));
    }
    relaying.shutdown(SILENCE).await;
    Ok(Outcome {
        rate: RATE,
        orders: latencies.len(),
        p50: milliseconds(&latencies, 0.5),
        p99: milliseconds(&latencies, 0.99),
        ..Outcome::default()
    })
}

async fn buy_one(orders: &loms::order::Orders, sku: i64) -> anyhow::Result<i64> {
    let answered = orders
        .create(&caller(1)?, UserId::try_from(1)?, &lines(sku, 1)?)
        .await?;
    let order = answered.value.order.context("a new order")?;
    Ok(order.id.get())
}

/// Starts a relay over `backlog` unsent events; how long until none is left.
async fn drain(fixture: &Fixture, backlog: u32) -> anyhow::Result<f64> {
    let sql = format!(
        "insert into outbox (order_id, version, event_id, user_id, status, moment)
         select 1000000000 + n / 2, n % 2 + 1, gen_random_uuid(), 1,
                case n % 2 when 0 then 'new' else 'awaiting payment' end, now()
         from generate_series(0, {}) as n",
        backlog.saturating_sub(1)
    );
    fixture.db.execute_unprepared(&sql).await?;
    let relaying = Tasks::new();
    let started = Instant::now();
    let _relay = start_relay(fixture, &relaying);
    fixture.until_sent().await?;
    let took = started.elapsed().as_secs_f64();
    relaying.shutdown(SILENCE).await;
    Ok(took)
}

fn start_relay(fixture: &Fixture, tasks: &Tasks) -> outbox::RelayHandle {
    let (db, kafka) = (fixture.db.clone(), fixture.kafka.clone());
    let config = outbox::relay::Config::default();
    Relay::start(
        config,
        db,
        kafka,
        &[],
        Clock::system(),
        tasks,
        &Health::new(),
    )
}

/// A reader that stands at the end of every partition.
async fn read_from_the_end(fixture: &Fixture) -> anyhow::Result<StreamConsumer> {
    let reader = chassis::kafka::reader(&fixture.kafka)?;
    let kafka = fixture.kafka.clone();
    let placing = tokio::task::spawn_blocking(move || {
        let mut list = TopicPartitionList::new();
        for partition in 0..kafka.partitions {
            let (_, end) = reader.fetch_watermarks(&kafka.topic, partition, SILENCE)?;
            list.add_partition_offset(&kafka.topic, partition, Offset::Offset(end))?;
        }
        reader.assign(&list)?;
        anyhow::Ok(reader)
    });
    placing.await?
}
