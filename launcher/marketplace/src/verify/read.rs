//! Reads the topic from end to end: which events it has, in which order, and what its retention may have removed.
//!
//! Retention cuts off the beginning of a partition. What was there nobody can tell, but for one thing: it was sent before the
//! first record that is left, so it tells of changes from before then. Only such events may be missing, and only if a
//! partition was cut.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use anyhow::Context as _;
use chassis::clock::Clock;
use chassis::kafka;
use chrono::{DateTime, TimeDelta, Utc};
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use schema::event::{OrderEvent, OrderStatus};
use uuid::Uuid;

/// The longest silence of a broker that still has messages.
const SILENCE: Duration = Duration::from_secs(10);
/// How far the clock of the order service may differ from that of the relay that sends its events.
const CLOCKS: TimeDelta = TimeDelta::seconds(1);

/// The header of a record that the demo's console put there to be unreadable: it breaks no promise of the pipeline.
pub(crate) const POISON: &str = "demo-poison";

/// What an event says, wherever it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) order: i64,
    pub(super) version: i64,
    pub(super) user: i64,
    /// None: a word that no contract knows.
    pub(super) status: Option<OrderStatus>,
    pub(super) moment: DateTime<Utc>,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.map_or("?", OrderStatus::as_str);
        let Self {
            order,
            version,
            user,
            moment,
            ..
        } = self;
        write!(
            f,
            "order {order} of user {user} {status} in version {version} at {moment}"
        )
    }
}

impl From<&OrderEvent> for Said {
    fn from(event: &OrderEvent) -> Self {
        Self {
            order: event.order_id.get(),
            version: event.version.into(),
            user: event.user_id.get(),
            status: Some(event.status),
            moment: event.moment,
        }
    }
}

/// What the topic has, repeats left out.
#[derive(Default)]
pub(super) struct Topic {
    pub(super) events: HashMap<Uuid, Said>,
    /// Repeats that say another thing than the first message of the event.
    pub(super) contradictions: Vec<String>,
    /// By order id.
    pub(super) orders: BTreeMap<i64, Versions>,
    /// When the broker took each message that repeats an earlier one, in milliseconds since 1970.
    pub(super) repeats: Vec<i64>,
    pub(super) unreadable: Vec<String>,
    /// Of each partition that was cut, up to which moment events may be missing.
    cuts: HashMap<i32, DateTime<Utc>>,
}

/// The versions of an order as they first came.
#[derive(Default)]
pub(super) struct Versions {
    pub(super) came: Vec<u32>,
    /// Whether the versions before the first one may have been cut off.
    cut: bool,
}

impl Versions {
    /// Whether each follows the one before it, and the first is 1 or follows one that may have been cut off.
    pub(super) fn follow(&self) -> bool {
        let begin = self.cut || self.came.first().is_none_or(|first| *first == 1);
        let mut pairs = self.came.windows(2);
        begin && pairs.all(|pair| pair[0].checked_add(1) == Some(pair[1]))
    }
}

impl Topic {
    /// Whether an event of this moment should be there and is not. The event's partition is not known, so it may have been in
    /// the one that was cut last.
    pub(super) fn lacks(&self, event: &Uuid, moment: DateTime<Utc>) -> bool {
        !self.events.contains_key(event) && self.cuts.values().all(|cut| moment > *cut)
    }

    /// Notes that a partition was cut, and when the first record that it has left was sent; of several calls the first counts.
    pub(super) fn cut(&mut self, partition: i32, first_sent: DateTime<Utc>) {
        self.cuts.entry(partition).or_insert(first_sent + CLOCKS);
    }

    /// Takes the next event of a partition, which the broker took at `at`, in milliseconds since 1970.
    pub(super) fn add(&mut self, partition: i32, at: i64, event: &OrderEvent) {
        let said = Said::from(event);
        match self.events.entry(event.event_id) {
            Entry::Occupied(first) => {
                self.repeats.push(at);
                if *first.get() != said {
                    let id = event.event_id;
                    let first = first.get();
                    self.contradictions
                        .push(format!("event {id} came as {first}, and again as {said}"));
                }
                return;
            }
            Entry::Vacant(first) => {
                first.insert(said);
            }
        }
        let cut = self.cuts.get(&partition);
        let order = self.orders.entry(event.order_id.get()).or_default();
        order.cut |= cut.is_some();
        // An older event may repeat one that was cut off, and then its place says nothing.
        if cut.is_none_or(|cut| event.moment > *cut) {
            order.came.push(event.version);
        }
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let header = |name: &str| {
            let headers = message.headers()?;
            let found = headers.iter().find(|header| header.key == name)?;
            found.value.map(<[u8]>::to_vec)
        };
        let (partition, at) = (message.partition(), message.timestamp().to_millis());
        match OrderEvent::decode(message.payload().unwrap_or_default(), header) {
            Ok(event) => self.add(partition, at.unwrap_or(0), &event),
            Err(_) if header(POISON).is_some() => {}
            Err(error) => self.unreadable.push(format!(
                "message {} of partition {partition} is no order event: {error}",
                message.offset(),
            )),
        }
    }
}

/// Reads every partition from its first message to the end that it has now.
pub(super) async fn topic(config: &kafka::Config) -> anyhow::Result<Topic> {
    let begun = Clock::system().now();
    let mut settings = kafka::reader_settings(config);
    // The end of a partition may be no record, but the marker of a transaction.
    let consumer: StreamConsumer = settings.set("enable.partition.eof", "true").create()?;
    let name = config.topic.clone();
    let (consumer, partitions) = tokio::task::spawn_blocking(move || {
        let partitions = assign(&consumer, &name)?;
        anyhow::Ok((consumer, partitions))
    })
    .await??;
    let (mut topic, mut unread) = (Topic::default(), BTreeSet::new());
    for (partition, offsets) in &partitions {
        if !offsets.is_empty() {
            unread.insert(*partition);
        } else if offsets.start > 0 {
            // Nothing is left of it.
            topic.cut(*partition, begun);
        }
    }
    while !unread.is_empty() {
        let received = tokio::time::timeout(SILENCE, consumer.recv()).await;
        let message = match received.context("the broker is silent")? {
            Ok(message) => message,
            Err(KafkaError::PartitionEOF(partition)) => {
                // Whatever was cut off, no record is left to tell when.
                if partitions[&partition].start > 0 {
                    topic.cut(partition, begun);
                }
                unread.remove(&partition);
                continue;
            }
            Err(error) => return Err(error).context("the topic cannot be read"),
        };
        let (partition, next) = (message.partition(), message.offset() + 1);
        let offsets = &partitions[&partition];
        if offsets.start > 0 {
            topic.cut(partition, sent(&message).unwrap_or(begun).min(begun));
        }
        topic.take(&message);
        if next >= offsets.end {
            unread.remove(&partition);
        }
    }
    Ok(topic)
}

fn sent(message: &BorrowedMessage<'_>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(message.timestamp().to_millis()?)
}

/// Assigns every partition that has messages, from its first one; the offsets of each partition.
fn assign(consumer: &StreamConsumer, topic: &str) -> anyhow::Result<BTreeMap<i32, Range<i64>>> {
    let metadata = consumer.fetch_metadata(Some(topic), SILENCE)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    let partitions = found.context("it does not exist")?.partitions();
    let (mut all, mut list) = (BTreeMap::new(), TopicPartitionList::new());
    for partition in partitions {
        let (first, end) = consumer.fetch_watermarks(topic, partition.id(), SILENCE)?;
        if end > first {
            list.add_partition_offset(topic, partition.id(), Offset::Offset(first))?;
        }
        all.insert(partition.id(), first..end);
    }
    consumer.assign(&list)?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen red, after ten seconds of waiting, with the partition's end taken for a record's.
    #[tokio::test]
    async fn a_topic_that_ends_in_markers_of_transactions_is_read_to_its_end() {
        let brokers = testkit::kafka().await;
        let name = testkit::topic(2).await;
        testkit::abort_transaction(brokers, &name, 2).await;
        let config = kafka::Config {
            brokers: brokers.to_owned(),
            topic: name,
            ..kafka::Config::default()
        };
        let read = topic(&config).await.unwrap();
        assert!(read.events.is_empty() && read.unreadable.is_empty());
    }
}
