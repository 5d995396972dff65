//! Buyers resume over a history that no router keeps in memory.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chassis::clock::Clock;
use futures::future::try_join_all;
use hdrhistogram::Histogram;
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use schema::{
    event::{OrderEvent, OrderStatus, TOPIC, header},
    id::{OrderId, UserId},
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    frames::Frames,
    row::Row,
    subscriber::{Subscriber, Wire, Wish},
    suite::Bench,
};

const MINE: &str = "subscription { myOrderEvents { cursor kind orderId version status at } }";
/// Buyers whose events the history has; their ids are nobody else's.
const BUYERS: usize = 1_500;
const FIRST_BUYER: usize = 500_000;
const FIRST_ORDER: i64 = 50_000_000;
/// Source: order-stream's `cursor`: a byte of format, then the epoch.
const EPOCH: std::ops::Range<usize> = 1..17;
const FLUSH: Duration = Duration::from_secs(60);

/// Has buyers resume from before a long history.
///
/// # Errors
/// When one does not get all of its events.
pub(crate) async fn resume(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    let (events, resuming) = (bench.sizes.history, bench.sizes.resuming);
    // A topic without events has no epoch.
    bench.orders(1).await?;
    let mut wishes = Vec::new();
    for number in 0..resuming {
        let token = bench.shop.token(FIRST_BUYER + number, false).await?;
        wishes.push(bench.wish(Wire::Sse, MINE, token)?);
    }
    let start = wishes.first().context("nobody resumes")?;
    let start = Subscriber::open(start, 0, None).await?;
    let cursor = start.cursor.clone().context("a stream has a cursor")?;
    drop(start);
    let broker = bench.shop.broker();
    let epoch = URL_SAFE_NO_PAD.decode(&cursor)?;
    let epoch = Uuid::from_slice(epoch.get(EPOCH).context("a cursor has an epoch")?)?;
    let written = tokio::task::spawn_blocking(move || write(&broker, epoch, events));
    let of_each = written.await??;
    bench.shop.renew_router().await?;
    let worked = bench.shop.router()?.worked()?;
    let resumes = wishes.iter().enumerate().map(|(number, wish)| {
        let wanted = of_each.get(&number).copied().unwrap_or_default();
        one(wish, number, &cursor, wanted)
    });
    let took = try_join_all(resumes).await?;
    let worked = bench.shop.router()?.worked()? - worked;
    let mut millis = Histogram::<u64>::new(3)?;
    for took in took {
        millis.saturating_record(u64::try_from(took.as_millis())?);
    }
    let seconds = |quantile| {
        let millis = millis.value_at_quantile(quantile);
        f64::from(u32::try_from(millis).unwrap_or(u32::MAX)) / 1e3
    };
    let name = format!("{resuming} users resume over {events} events");
    bench.add(Row::goal(format!("{name}, p50"), "s", seconds(0.5), 2.0));
    bench.add(Row::plain(format!("{name}, p99"), "s", seconds(0.99)));
    let worked = worked.as_secs_f64();
    bench.add(Row::plain(format!("{name}: processor time"), "s", worked));
    Ok(())
}

/// How long one takes to have all of its events.
async fn one(wish: &Wish, number: usize, cursor: &str, wanted: usize) -> anyhow::Result<Duration> {
    let since = Instant::now();
    let mut subscriber = Subscriber::open(wish, number, Some(cursor.to_owned())).await?;
    let frames = Frames::default();
    tokio::select! {
        error = subscriber.read(&frames) => return Err(error),
        reached = frames.reach(wanted, Duration::from_secs(120)) => reached?,
    }
    Ok(since.elapsed())
}

/// Writes the history as the relay would; gives how many events each buyer has.
fn write(broker: &str, epoch: Uuid, events: usize) -> anyhow::Result<BTreeMap<usize, usize>> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker)
        .set("linger.ms", "20")
        .create()?;
    let mut of_each = BTreeMap::new();
    for number in 0..events {
        let buyer = number % BUYERS;
        *of_each.entry(buyer).or_default() += 1;
        let event = OrderEvent {
            event_id: Uuid::new_v4(),
            order_id: OrderId::try_from(FIRST_ORDER + i64::try_from(number)?)?,
            user_id: UserId::try_from(i64::try_from(FIRST_BUYER + buyer)?)?,
            version: 1,
            status: OrderStatus::New,
            moment: Clock::system().now(),
            skus: Vec::new(),
            traceparent: None,
        };
        send(&producer, &event, epoch)?;
    }
    producer.flush(FLUSH)?;
    Ok(of_each)
}

fn send(producer: &BaseProducer, event: &OrderEvent, epoch: Uuid) -> anyhow::Result<()> {
    let (key, value) = (event.key(), event.value());
    let epoch = (header::STREAM_EPOCH, epoch.to_string());
    let headers = event.headers().into_iter().chain([epoch]);
    let headers = headers.fold(OwnedHeaders::new(), |headers, (key, value)| {
        let value = Some(value.as_bytes());
        headers.insert(Header { key, value })
    });
    let mut record = BaseRecord::to(TOPIC)
        .key(&key)
        .payload(&value)
        .headers(headers);
    while let Err((error, refused)) = producer.send(record) {
        // The queue is full until the broker has taken some.
        if error.rdkafka_error_code() != Some(rdkafka::types::RDKafkaErrorCode::QueueFull) {
            return Err(error.into());
        }
        producer.poll(Duration::from_millis(10));
        record = refused;
    }
    producer.poll(Duration::ZERO);
    Ok(())
}
