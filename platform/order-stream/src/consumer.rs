//! Consumers of a topic of events that belong to no group: whoever makes one says where it reads.

use std::{fmt, ops::Deref};

use chassis::kafka;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{Consumer as _, StreamConsumer},
    error::{KafkaError, KafkaResult},
    message::{BorrowedHeaders, BorrowedMessage, Headers as _, Message as _},
};
use schema::event::header;
use uuid::Uuid;

use crate::{event::Event, log::Record};

/// Messages before the wanted place that a reader looks at to know which versions were sent already. Twice the
/// relay's batch: the farthest that a repeat can stand behind its original.
pub(crate) const PREAMBLE: i64 = 2_048;

/// Memory that one replay may hold ahead of its reader, in KiB.
const REPLAY_QUEUE_KIB: &str = "1024";

/// Memory that one scan may hold ahead of what it has read, in KiB.
const SCAN_QUEUE_KIB: &str = "8192";

pub(crate) fn settings(config: &kafka::Config) -> ClientConfig {
    // Out of range is an error there, never a silent jump: it is the sign of a gap.
    let mut settings = kafka::reader_settings(config);
    settings
        .set("enable.partition.eof", "true")
        .set("topic.metadata.refresh.interval.ms", "5000");
    settings
}

/// The one long-lived consumer of a process.
pub(crate) fn tail(config: &kafka::Config) -> KafkaResult<OffReactor> {
    settings(config)
        .set("fetch.wait.max.ms", "250")
        .create()
        .map(|made| OffReactor(Some(made)))
}

/// A consumer for one reader that is behind the log; small, because there may be several.
pub(crate) fn replay(config: &kafka::Config) -> KafkaResult<OffReactor> {
    settings(config)
        .set("fetch.wait.max.ms", "50")
        .set("queued.max.messages.kbytes", REPLAY_QUEUE_KIB)
        .set("max.partition.fetch.bytes", "262144")
        .create()
        .map(|made| OffReactor(Some(made)))
}

/// A consumer for all readers that wait for a scan: there are few, and they are to be quick.
pub(crate) fn scan(config: &kafka::Config) -> KafkaResult<OffReactor> {
    settings(config)
        .set("fetch.wait.max.ms", "50")
        .set("queued.max.messages.kbytes", SCAN_QUEUE_KIB)
        .set("fetch.message.max.bytes", "1048576")
        .create()
        .map(|made| OffReactor(Some(made)))
}

/// Makes the consumer read each named partition from its offset.
pub(crate) fn assign(
    consumer: &StreamConsumer,
    topic: &str,
    from: impl Iterator<Item = (usize, i64)>,
) -> KafkaResult<()> {
    let mut assignment = TopicPartitionList::new();
    for (partition, offset) in from {
        let partition = i32::try_from(partition).map_err(|_| too_many_partitions())?;
        assignment.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    }
    consumer.assign(&assignment)
}

pub(crate) fn too_many_partitions() -> KafkaError {
    KafkaError::MetadataFetch(rdkafka::types::RDKafkaErrorCode::InvalidPartitions)
}

/// Reads a message. One that is no event of the topic comes without one, and why is logged: readers pass it over, and the
/// notifier parks such a one among the order events.
pub(crate) fn record<E: Event>(message: &BorrowedMessage<'_>, reading: &E::Reading) -> Record<E> {
    let headers = message.headers();
    let header = |name: &str| find_header(headers, name);
    let (key, value) = (message.key(), message.payload());
    let (key, value) = (key.unwrap_or_default(), value.unwrap_or_default());
    let event = E::decode(reading, key, value, header);
    let event = event
        .inspect_err(|error| {
            tracing::debug!(
                partition = message.partition(),
                offset = message.offset(),
                %error,
                "message passed over, it is no event of this topic"
            );
        })
        .ok();
    let epoch = header(header::STREAM_EPOCH)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| Uuid::parse_str(&text).ok());
    Record {
        partition: usize::try_from(message.partition()).unwrap_or_default(),
        offset: message.offset(),
        epoch,
        event,
    }
}

fn find_header(headers: Option<&BorrowedHeaders>, name: &str) -> Option<Vec<u8>> {
    headers?
        .iter()
        .find(|header| header.key == name)?
        .value
        .map(<[u8]>::to_vec)
}

/// A consumer that is closed off the reactor: closing waits for librdkafka's threads.
pub(crate) struct OffReactor(Option<StreamConsumer>);

impl Deref for OffReactor {
    type Target = StreamConsumer;

    fn deref(&self) -> &StreamConsumer {
        self.0.as_ref().expect("the consumer is there until drop")
    }
}

impl Drop for OffReactor {
    fn drop(&mut self) {
        let consumer = self.0.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn_blocking(move || drop(consumer)));
        }
    }
}

impl fmt::Debug for OffReactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamConsumer")
    }
}
