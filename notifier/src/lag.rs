//! Tells how far this group is behind: for each partition of this member, the messages that it has not handled.
//!
//! Asked of the broker at intervals, so that the figure grows also while the member is stuck. A partition may end in what is
//! no message, such as the markers of transactions: where nothing moved between two looks, a reader of its own finds out.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chassis::kafka;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, StreamConsumer},
    error::{KafkaError, KafkaResult},
};
use tokio_util::sync::CancellationToken;

use crate::metrics;

const INTERVAL: Duration = Duration::from_secs(3);
/// Longest wait for the broker, by question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Looks until the token. Holds the consumer only while it asks, and never a list of its partitions after that.
pub(crate) fn watch(
    consumer: Arc<StreamConsumer>,
    config: kafka::Config,
    token: CancellationToken,
) -> impl Future<Output = ()> {
    // The member drops the last handle when it leaves its group.
    let consumer = Arc::downgrade(&consumer);
    async move {
        let mut places = Places::new();
        while token
            .run_until_cancelled(tokio::time::sleep(INTERVAL))
            .await
            .is_some()
        {
            let Some(held) = consumer.upgrade() else {
                return;
            };
            let (config, before) = (config.clone(), std::mem::take(&mut places));
            let asked = tokio::task::spawn_blocking(move || measure(&held, &config, &before));
            match asked.await {
                Ok(Ok(now)) => places = now,
                Ok(Err(error)) => tracing::debug!(%error, "the lag is not known"),
                Err(_) => {}
            }
        }
    }
}

/// Where a partition was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    done: i64,
    end: i64,
}

/// Each partition's place at the last look, and whether there was no message between done and end, if that was asked.
type Places = BTreeMap<i32, (Place, Option<bool>)>;

fn measure(
    consumer: &StreamConsumer,
    config: &kafka::Config,
    before: &Places,
) -> KafkaResult<Places> {
    let assigned = consumer.assignment()?;
    let committed = consumer.committed_offsets(assigned, ANSWER_TIMEOUT)?;
    metrics::LAG.reset();
    let mut now = Places::new();
    for partition in committed.elements_for_topic(&config.topic) {
        let number = partition.partition();
        let (first, end) = consumer.fetch_watermarks(&config.topic, number, ANSWER_TIMEOUT)?;
        let done = match partition.offset() {
            Offset::Offset(done) => done,
            // Nothing committed yet: the group begins at the first message.
            _ => first,
        };
        let place = Place { done, end };
        let is_empty = match before.get(&number) {
            Some((last, known)) if *last == place && end > done => Some(match known {
                Some(known) => *known,
                None => is_empty_from(config, number, done)?,
            }),
            _ => None,
        };
        let lag = if is_empty == Some(true) {
            0
        } else {
            end - done
        };
        metrics::LAG
            .with_label_values(&[&number.to_string()])
            .set(lag.max(0));
        now.insert(number, (place, is_empty));
    }
    Ok(now)
}

/// Whether the partition has no message from this offset to its end. Blocks for [`ANSWER_TIMEOUT`] at most; no answer is no.
fn is_empty_from(config: &kafka::Config, partition: i32, offset: i64) -> KafkaResult<bool> {
    let mut settings = kafka::reader_settings(config);
    let reader: BaseConsumer = settings.set("enable.partition.eof", "true").create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&config.topic, partition, Offset::Offset(offset))?;
    reader.assign(&list)?;
    let answer = reader.poll(ANSWER_TIMEOUT);
    Ok(matches!(answer, Some(Err(KafkaError::PartitionEOF(_)))))
}

#[cfg(test)]
mod tests {
    use rdkafka::producer::FutureRecord;

    use super::*;

    /// Seen red with a reader that is told of no end.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_transaction_leaves_at_the_end_is_no_message() {
        let config = kafka::Config {
            brokers: testkit::kafka().await.to_owned(),
            topic: testkit::topic(1).await,
            ..kafka::Config::default()
        };
        testkit::abort_transaction(&config.brokers, &config.topic, 1).await;
        let is_empty = async |offset| {
            let config = config.clone();
            let asked = tokio::task::spawn_blocking(move || is_empty_from(&config, 0, offset));
            asked.await.unwrap().unwrap()
        };
        let wait = Duration::from_secs(20);
        // The last stable offset is moved a moment after the transaction's end.
        testkit::eventually("nothing is there", wait, async || {
            is_empty(0).await.then_some(())
        })
        .await;
        let producer = kafka::producer(&config).unwrap();
        let record = FutureRecord::<(), _>::to(&config.topic).payload("later");
        let sent = producer.send(record, wait).await.unwrap();
        testkit::eventually("a message is there", wait, async || {
            (!is_empty(0).await).then_some(())
        })
        .await;
        assert!(is_empty(sent.offset + 1).await, "and none after it");
    }
}
