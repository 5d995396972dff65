//! Follows the end of the topic and feeds the log: the one long-lived consumer of a process.
//!
//! The log is started over when the topic turns out to be another one: an offset out of range, an end below
//! what was read, a new epoch, or more partitions. Readers then look their cursors up anew.

use std::sync::Arc;

use chassis::health::Component;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use uuid::Uuid;

use crate::{
    bounds::{Bounds, Unavailable},
    consumer::{self, OffReactor, PREAMBLE},
    cursor::Cursor,
    log::{Appended, Record},
    metrics,
    shared::Shared,
};

/// Memory of one event by experience, to guess how many messages fit the log.
const EVENT_BYTES: usize = 512;

/// Why the tail begins anew.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("consumer: {0}")]
    Consumer(#[from] KafkaError),
    #[error("the topic was replaced or cut")]
    Replaced,
    #[error("the topic has another number of partitions")]
    Partitions,
    #[error("another stream begins")]
    NewEpoch(Uuid),
}

/// Follows the topic until it is dropped.
pub(crate) async fn run(shared: Arc<Shared>, health: Component) {
    health.down("catching up with the topic");
    let mut epoch = Uuid::nil();
    loop {
        let Err(broken) = follow(&shared, &health, epoch).await;
        shared.live.send_replace(false);
        health.down(broken.to_string());
        tracing::warn!(reason = %broken, "the order-event tail starts over");
        if let Broken::NewEpoch(next) = broken {
            epoch = next;
        } else {
            tokio::time::sleep(shared.config.check_interval / 4).await;
        }
    }
}

async fn follow(
    shared: &Shared,
    health: &Component,
    epoch: Uuid,
) -> Result<std::convert::Infallible, Broken> {
    let bounds = shared.bounds.ask().await?;
    let consumer = start(shared, &bounds, epoch)?;
    let aim = Cursor::new(epoch, &bounds.high);
    become_live(shared, health, &aim);
    // Beside the reading, so that a broker that is slow to answer holds up no event.
    let inspecting = watch(shared, health, bounds.high.len());
    tokio::pin!(inspecting);
    loop {
        tokio::select! {
            broken = &mut inspecting => return Err(broken),
            received = consumer.recv() => match received {
                Ok(message) => append(shared, consumer::record(&message))?,
                Err(error) => judge(error, health)?,
            },
        }
        become_live(shared, health, &aim);
    }
}

/// Starts the log over at the earliest place that fits, and a consumer somewhat before it.
fn start(shared: &Shared, bounds: &Bounds, epoch: Uuid) -> Result<OffReactor, Broken> {
    let partitions = bounds.high.len().max(1);
    let fitting = shared.config.log_bytes / EVENT_BYTES / partitions;
    // At least the last record, which tells the epoch: a log that is live without one gives places in no topic.
    let fitting = i64::try_from(fitting).unwrap_or(i64::MAX).max(1);
    let begin = bounds
        .low
        .iter()
        .zip(&bounds.high)
        .map(|(low, high)| (*high - fitting).max(*low));
    let begin: Vec<i64> = begin.collect();
    let primed = begin
        .iter()
        .zip(&bounds.low)
        .map(|(begin, low)| (*begin - PREAMBLE).max(*low));
    let consumer = consumer::tail(&shared.kafka)?;
    consumer::assign(&consumer, &shared.kafka.topic, primed.enumerate())?;
    shared.log.write().start_over(&begin, epoch);
    shared.waiters.wake_all();
    Ok(consumer)
}

fn become_live(shared: &Shared, health: &Component, aim: &Cursor) {
    let due = {
        let log = shared.log.read();
        !log.is_live() && log.end().covers(aim)
    };
    if due {
        shared.log.write().set_live();
        shared.live.send_replace(true);
        health.up();
    }
}

fn append(shared: &Shared, record: Record) -> Result<(), Broken> {
    let appended = {
        let mut log = shared.log.write();
        let appended = log.append(record, &shared.waiters);
        metrics::LOG_BYTES.set(i64::try_from(log.bytes()).unwrap_or(i64::MAX));
        appended
    };
    shared.progress.notify_waiters();
    match appended {
        Appended::Kept => metrics::EVENTS.inc(),
        Appended::Passed => metrics::PASSED.inc(),
        Appended::NewEpoch(epoch) => return Err(Broken::NewEpoch(epoch)),
    }
    Ok(())
}

/// What a consumer's error means for the tail.
fn judge(error: KafkaError, health: &Component) -> Result<(), Broken> {
    match error {
        KafkaError::PartitionEOF(_) => Ok(()),
        KafkaError::MessageConsumption(
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
        ) => Err(Broken::Replaced),
        KafkaError::MessageConsumptionFatal(_) => Err(error.into()),
        // The broker is away: librdkafka reconnects, and the log stays as it is.
        other => {
            health.down(other.to_string());
            Ok(())
        }
    }
}

/// Looks at the topic's bounds again and again, until they do not fit what was read.
async fn watch(shared: &Shared, health: &Component, partitions: usize) -> Broken {
    loop {
        tokio::time::sleep(shared.config.check_interval).await;
        if let Err(broken) = inspect(shared, health, partitions).await {
            return broken;
        }
    }
}

/// Compares the topic with what was read. Also finds out that the broker is back.
async fn inspect(shared: &Shared, health: &Component, partitions: usize) -> Result<(), Broken> {
    // Taken before the question: what is read meanwhile must not look like more than the topic has.
    let end = shared.log.read().end();
    let bounds = match shared.bounds.ask().await {
        Ok(bounds) => bounds,
        Err(error) => {
            health.down(error.to_string());
            return Ok(());
        }
    };
    let topic = Cursor::new(end.epoch(), &bounds.high);
    let unread = (0..partitions)
        .map(|p| topic.next(p).saturating_sub(end.next(p)))
        .sum::<i64>();
    metrics::LAG.set(unread.max(0));
    if bounds.high.len() != partitions {
        return Err(Broken::Partitions);
    }
    if !topic.covers(&end) {
        return Err(Broken::Replaced);
    }
    if shared.log.read().is_live() {
        health.up();
    }
    Ok(())
}
