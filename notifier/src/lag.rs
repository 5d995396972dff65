//! Tells how far this group is behind: for each partition of this member, the messages that it has not handled.
//!
//! Asked of the broker at intervals, so that the figure grows also while the member is stuck.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    Offset,
    consumer::{Consumer as _, StreamConsumer},
    error::KafkaResult,
};
use tokio_util::sync::CancellationToken;

use crate::metrics;

const INTERVAL: Duration = Duration::from_secs(3);
/// Longest wait for the broker, by question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Looks until the token. Holds the consumer only while it asks, and never a list of its partitions after that.
pub(crate) fn watch(
    consumer: Arc<StreamConsumer>,
    topic: String,
    token: CancellationToken,
) -> impl Future<Output = ()> {
    // The member drops the last handle when it leaves its group.
    let consumer = Arc::downgrade(&consumer);
    async move {
        while token
            .run_until_cancelled(tokio::time::sleep(INTERVAL))
            .await
            .is_some()
        {
            let Some(held) = consumer.upgrade() else {
                return;
            };
            let topic = topic.clone();
            let asked = tokio::task::spawn_blocking(move || measure(&held, &topic));
            if let Ok(Err(error)) = asked.await {
                tracing::debug!(%error, "the lag is not known");
            }
        }
    }
}

fn measure(consumer: &StreamConsumer, topic: &str) -> KafkaResult<()> {
    let assigned = consumer.assignment()?;
    let committed = consumer.committed_offsets(assigned, ANSWER_TIMEOUT)?;
    metrics::LAG.reset();
    for partition in committed.elements_for_topic(topic) {
        let number = partition.partition();
        let (first, end) = consumer.fetch_watermarks(topic, number, ANSWER_TIMEOUT)?;
        let done = match partition.offset() {
            Offset::Offset(done) => done,
            // Nothing committed yet: the group begins at the first message.
            _ => first,
        };
        metrics::LAG
            .with_label_values(&[&number.to_string()])
            .set((end - done).max(0));
    }
    Ok(())
}
