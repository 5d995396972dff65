//! Follows the end of the topic and feeds the log: the one long-lived consumer of a process.
//!
//! The log is started over when the topic turns out to be another one: an offset out of range, an end below
//! what was read, a new epoch, or more partitions. Readers then look their cursors up anew.
//!
//! The topic may end in what is no record, such as the markers of transactions. That there is no record below a known end
//! is only believed of a fetch that began after the end was known: else a record on its way would be passed over.

use std::{sync::Arc, time::Duration};

use chassis::health::Component;
use parking_lot::Mutex;
use rdkafka::{
    Offset,
    consumer::Consumer as _,
    error::{KafkaError, RDKafkaErrorCode},
};
use uuid::Uuid;

use crate::{
    bounds::{Bounds, Unavailable},
    consumer::{self, OffReactor, PREAMBLE},
    cursor::Cursor,
    event::Event,
    log::{Appended, Record},
    shared::Shared,
};

/// Memory of one event by experience, to guess how many messages fit the log.
const EVENT_BYTES: usize = 512;

/// Looks at the topic in which a partition with something unread made no progress: after the first, its last place is
/// fetched again, and after the last it stands still.
const LOOKS_AGAIN: u32 = 2;
const LOOKS_MAX: u32 = 5;
/// How long the process waits for the tail to catch up before it starts without.
const START_PATIENCE: Duration = Duration::from_secs(10);

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
pub(crate) async fn run<E: Event>(shared: Arc<Shared<E>>, health: Component) {
    health.down("catching up with the topic");
    let mut epoch = Uuid::nil();
    let mut told = String::new();
    loop {
        let Err(broken) = follow(&shared, &health, epoch).await;
        shared.live.send_replace(false);
        let reason = broken.to_string();
        // Queries need no stream: the process starts, and streams wait.
        health.give_way(reason.clone());
        if reason == told {
            tracing::debug!(%reason, topic = %shared.kafka.topic, "the tail of a topic starts over");
        } else {
            tracing::warn!(%reason, topic = %shared.kafka.topic, "the tail of a topic starts over");
            told = reason;
        }
        if let Broken::NewEpoch(next) = broken {
            epoch = next;
        } else {
            tokio::time::sleep(shared.config.check_interval / 4).await;
        }
    }
}

async fn follow<E: Event>(
    shared: &Shared<E>,
    health: &Component,
    epoch: Uuid,
) -> Result<std::convert::Infallible, Broken> {
    let bounds = shared.bounds.ask().await?;
    let consumer = start(shared, &bounds, epoch)?;
    let aim = Cursor::new(epoch, &bounds.high);
    become_live(shared, health, &aim);
    // Every fetch of this consumer begins after the bounds were known.
    let ends = Ends(Mutex::new(bounds.high.clone()));
    // Beside the reading, so that a broker that is slow to answer holds up no event.
    let inspecting = watch(shared, health, &consumer, &ends);
    tokio::pin!(inspecting);
    let patience = tokio::time::sleep(START_PATIENCE);
    tokio::pin!(patience);
    let mut told = None;
    loop {
        tokio::select! {
            broken = &mut inspecting => return Err(broken),
            received = consumer.recv() => match received {
                Ok(message) => {
                    append(shared, consumer::record(&message, &shared.reading))?;
                    told = None;
                }
                Err(KafkaError::PartitionEOF(partition)) => ends.reached(shared, partition),
                Err(error) => judge(error, health, &mut told)?,
            },
            () = &mut patience, if !shared.log.read().is_live() => {
                health.give_way("catching up with the topic takes long");
                patience.as_mut().reset(tokio::time::Instant::now() + START_PATIENCE);
            }
        }
        become_live(shared, health, &aim);
    }
}

/// Starts the log over at the earliest place that fits, and a consumer somewhat before it.
fn start<E: Event>(shared: &Shared<E>, bounds: &Bounds, epoch: Uuid) -> Result<OffReactor, Broken> {
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

fn become_live<E: Event>(shared: &Shared<E>, health: &Component, aim: &Cursor) {
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

fn append<E: Event>(shared: &Shared<E>, record: Record<E>) -> Result<(), Broken> {
    let (partition, offset) = (record.partition, record.offset);
    let fault = record.event.as_ref().and_then(Event::fault);
    let fault = fault.map(str::to_owned);
    let appended = {
        let mut log = shared.log.write();
        let appended = log.append(record, &shared.waiters);
        let bytes = i64::try_from(log.bytes()).unwrap_or(i64::MAX);
        shared.metrics.log_bytes.set(bytes);
        appended
    };
    shared.progress.notify_waiters();
    match appended {
        Appended::Kept => match fault {
            None => shared.metrics.events.inc(),
            Some(fault) => {
                shared.metrics.unreadable.inc();
                let topic = &shared.kafka.topic;
                tracing::warn!(%topic, partition, offset, fault, "a message cannot be read: its readers get a gap");
            }
        },
        Appended::Passed => shared.metrics.passed.inc(),
        Appended::NewEpoch(epoch) => return Err(Broken::NewEpoch(epoch)),
    }
    Ok(())
}

/// Ends of the partitions of which it is known that every fetch under way began after them.
struct Ends(Mutex<Vec<i64>>);

impl Ends {
    /// All records of the partition were read: what is missing below its end is none.
    fn reached<E: Event>(&self, shared: &Shared<E>, partition: i32) {
        let partition = usize::try_from(partition).unwrap_or_default();
        let end = self.0.lock().get(partition).copied().unwrap_or(0);
        if shared.log.write().pass_to(partition, end) {
            shared.progress.notify_waiters();
        }
    }

    /// Fetches the partition's last place again, so that its end is found to be `end`.
    fn fetch_again(
        &self,
        consumer: &OffReactor,
        topic: &str,
        partition: usize,
        from: i64,
        end: i64,
    ) {
        let Ok(number) = i32::try_from(partition) else {
            return;
        };
        // Does not wait: what was fetched before is passed over by the client from here on.
        let sought = consumer.seek(topic, number, Offset::Offset(from), Duration::ZERO);
        match sought {
            Ok(()) => {
                if let Some(known) = self.0.lock().get_mut(partition) {
                    *known = end;
                }
            }
            Err(error) => tracing::debug!(%error, partition, "a partition cannot be fetched again"),
        }
    }
}

/// What a consumer's error means for the tail. One that goes on is logged once.
fn judge(
    error: KafkaError,
    health: &Component,
    told: &mut Option<KafkaError>,
) -> Result<(), Broken> {
    match error {
        KafkaError::MessageConsumption(
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
        ) => Err(Broken::Replaced),
        KafkaError::MessageConsumptionFatal(_) => Err(error.into()),
        // The broker is away, or a batch cannot be read: librdkafka tries again, and the log stays as it is.
        other => {
            health.down(other.to_string());
            if told.as_ref() != Some(&other) {
                tracing::warn!(error = %other, "the tail of a topic cannot read");
                *told = Some(other);
            }
            Ok(())
        }
    }
}

/// Looks at the topic's bounds again and again, until they do not fit what was read.
async fn watch<E: Event>(
    shared: &Shared<E>,
    health: &Component,
    consumer: &OffReactor,
    ends: &Ends,
) -> Broken {
    let partitions = ends.0.lock().len();
    let mut standing = vec![Standing::default(); partitions];
    loop {
        tokio::time::sleep(shared.config.check_interval).await;
        let looked = inspect(shared, health, &mut standing).await;
        let again = match looked {
            Ok(again) => again,
            Err(broken) => return broken,
        };
        for Again {
            partition,
            from,
            end,
        } in again
        {
            ends.fetch_again(consumer, &shared.kafka.topic, partition, from, end);
        }
    }
}

/// How often a partition with something unread was found at one place.
#[derive(Debug, Clone, Default)]
struct Standing {
    at: i64,
    looks: u32,
}

/// A partition whose last place is to be fetched again.
struct Again {
    partition: usize,
    from: i64,
    end: i64,
}

/// Compares the topic with what was read. Also finds out that the broker is back.
async fn inspect<E: Event>(
    shared: &Shared<E>,
    health: &Component,
    standing: &mut [Standing],
) -> Result<Vec<Again>, Broken> {
    // Taken before the question: what is read meanwhile must not look like more than the topic has.
    let end = shared.log.read().end();
    let bounds = match shared.bounds.ask().await {
        Ok(bounds) => bounds,
        Err(error) => {
            health.give_way(error.to_string());
            return Ok(Vec::new());
        }
    };
    let topic = Cursor::new(end.epoch(), &bounds.high);
    let unread = (0..standing.len())
        .map(|p| topic.next(p).saturating_sub(end.next(p)))
        .sum::<i64>();
    shared.metrics.lag.set(unread.max(0));
    if bounds.high.len() != standing.len() {
        return Err(Broken::Partitions);
    }
    if !topic.covers(&end) {
        return Err(Broken::Replaced);
    }
    let mut again = Vec::new();
    let mut stands_still = None;
    for (partition, seen) in standing.iter_mut().enumerate() {
        let (at, high) = (end.next(partition), topic.next(partition));
        let looks = if high > at && seen.at == at {
            seen.looks + 1
        } else {
            0
        };
        *seen = Standing { at, looks };
        if looks >= LOOKS_AGAIN && looks.is_multiple_of(LOOKS_AGAIN) {
            again.push(Again {
                partition,
                from: at,
                end: high,
            });
        }
        if looks >= LOOKS_MAX {
            stands_still = Some((partition, at, high));
        }
    }
    if let Some((partition, at, high)) = stands_still {
        health.give_way(format!(
            "partition {partition} is not read on from offset {at}, and ends at {high}"
        ));
    } else if shared.log.read().is_live() {
        health.up();
    }
    Ok(again)
}
