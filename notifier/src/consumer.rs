//! Reads the topic as a member of the group: take a batch, handle it, commit the offsets, in this order.
//!
//! While the database is away the member pauses its partitions and goes on polling, so it keeps its place in
//! the group and takes nothing it cannot keep.
//!
//! A batch that the client cannot read stops its partition alone: the client asks for it again and again, while other
//! partitions go on. Health is down all that time, so that the group's lag is no riddle.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chassis::{crash, health::Component};
use futures::FutureExt as _;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer as _, StreamConsumer},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{config::Config, handle::Handler, message::Received, metrics};

/// Pause between two questions whether the broker is back.
const CLIENT_PAUSE: Duration = Duration::from_millis(200);
/// How long a member that lost its broker waits for the answer to whether it is back.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a batch that could not be read is held against a partition: the client asks again twice a second.
const UNREADABLE_FOR: Duration = Duration::from_secs(5);

/// How reading goes, as health is told.
pub(crate) struct Reading {
    health: Component,
    /// When a batch could not be read last.
    unreadable: watch::Sender<Option<Instant>>,
}

impl Reading {
    pub(crate) fn new(health: Component) -> Self {
        let unreadable = watch::Sender::new(None);
        Self { health, unreadable }
    }

    /// Reading goes on; false while a batch cannot be read.
    fn goes_on(&self) -> bool {
        let last = *self.unreadable.borrow();
        let is_good = last.is_none_or(|last| last.elapsed() >= UNREADABLE_FOR);
        if is_good {
            self.health.up();
        }
        is_good
    }

    /// The client has no message: it lost its broker, or a batch cannot be read.
    fn failed(&self, error: &KafkaError) {
        if is_unreadable(error) {
            self.unreadable.send_replace(Some(Instant::now()));
            self.health
                .down(format!("a batch of the topic cannot be read: {error}"));
            tracing::warn!(%error, "a batch of the topic cannot be read, and its partition waits");
        } else {
            self.health.down(error.to_string());
            tracing::debug!(%error, "the notifier waits for the broker");
        }
    }
}

/// Whether what the broker sent is at fault, and not the broker's absence.
const fn is_unreadable(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageConsumption(
            RDKafkaErrorCode::NotImplemented
                | RDKafkaErrorCode::BadCompression
                | RDKafkaErrorCode::BadMessage
                | RDKafkaErrorCode::InvalidMessage
        )
    )
}

/// One member of the group.
pub(crate) struct Member {
    pub(crate) consumer: Arc<StreamConsumer>,
    pub(crate) handler: Handler,
    pub(crate) config: Config,
    pub(crate) reading: Reading,
    pub(crate) token: CancellationToken,
}

impl Member {
    /// Works until the token; then finishes its batch, commits and leaves the group.
    pub(crate) async fn run(self) {
        if let Err(error) = self.consumer.subscribe(&[&self.handler.topic]) {
            self.reading.health.down(error.to_string());
            tracing::error!(%error, "the notifier cannot subscribe");
            return;
        }
        self.reading.health.up();
        let mut done = BTreeMap::new();
        while let Some(batch) = self.until_stopped(self.take_batch()).await {
            if !self.handle(batch, &mut done).await {
                break;
            }
        }
        self.leave(done).await;
    }

    /// The next message and those that are there already.
    async fn take_batch(&self) -> Vec<Received> {
        let mut batch = vec![self.take_first().await];
        while batch.len() < self.config.batch {
            match self.consumer.recv().now_or_never() {
                Some(Ok(message)) => batch.push(message.into()),
                // An error comes again when we wait for the next batch.
                Some(Err(_)) | None => break,
            }
        }
        batch
    }

    async fn take_first(&self) -> Received {
        first(|| self.receive(), || self.broker_answers(), &self.reading).await
    }

    async fn receive(&self) -> KafkaResult<Received> {
        self.consumer.recv().await.map(Received::from)
    }

    /// Ends when the group's coordinator answers this member.
    async fn broker_answers(&self) {
        loop {
            tokio::time::sleep(CLIENT_PAUSE).await;
            let (consumer, topic) = (self.consumer.clone(), self.handler.topic.clone());
            let asked = tokio::task::spawn_blocking(move || ask_coordinator(&consumer, &topic));
            if matches!(asked.await, Ok(Ok(()))) {
                return;
            }
        }
    }

    /// Handles the batch however long it takes. False when the process stops before it is done.
    async fn handle(&self, mut batch: Vec<Received>, done: &mut BTreeMap<i32, i64>) -> bool {
        let started = std::time::Instant::now();
        let mut pause = self.config.backoff_min;
        let mut waited = false;
        while let Err(error) = self.handler.handle(&batch).await {
            metrics::RETRIES.inc();
            waited = true;
            self.reading.health.down(error.to_string());
            tracing::warn!(%error, "the notifier waits, its messages stay in the topic");
            let Some(more) = self.until_stopped(self.wait_paused(pause)).await else {
                return false;
            };
            batch.extend(more);
            pause = (pause * 2).min(self.config.backoff_max);
        }
        if waited {
            self.reading.goes_on();
            self.resume();
        }
        for message in &batch {
            done.insert(message.partition, message.offset + 1);
        }
        metrics::HANDLE.observe(&[], started.elapsed().as_secs_f64());
        crash::at("notifier::after_commit");
        self.commit(&batch);
        true
    }

    /// Waits with all partitions paused. A partition that is assigned meanwhile may bring a few messages.
    async fn wait_paused(&self, pause: Duration) -> Vec<Received> {
        let mut more = Vec::new();
        let end = tokio::time::Instant::now() + pause;
        loop {
            let assigned = self.consumer.assignment();
            if let Err(error) = assigned.and_then(|assigned| self.consumer.pause(&assigned)) {
                tracing::debug!(%error, "pausing failed");
            }
            match tokio::time::timeout_at(end, self.consumer.recv()).await {
                Ok(Ok(message)) => more.push(message.into()),
                Ok(Err(error)) => tracing::debug!(%error, "the notifier waits for the broker"),
                Err(_) => return more,
            }
        }
    }

    fn resume(&self) {
        let assigned = self.consumer.assignment();
        if let Err(error) = assigned.and_then(|assigned| self.consumer.resume(&assigned)) {
            tracing::debug!(%error, "resuming failed");
        }
    }

    /// Commits without waiting: a commit that is lost means that the messages come again and find their inbox
    /// rows. A refused one means that the partition belongs to another member now.
    fn commit(&self, batch: &[Received]) {
        let ends: BTreeMap<i32, i64> = batch
            .iter()
            .map(|message| (message.partition, message.offset + 1))
            .collect();
        let committed = offsets(&self.handler.topic, &ends)
            .and_then(|list| self.consumer.commit(&list, CommitMode::Async));
        if let Err(error) = committed {
            tracing::debug!(%error, "offsets not committed");
        }
    }

    /// Commits what is done for the partitions it still has, waits for it, and leaves the group.
    async fn leave(self, mut done: BTreeMap<i32, i64>) {
        let Self {
            consumer, handler, ..
        } = self;
        let leaving = move || {
            let committed = commit_owned(&consumer, &handler.topic, &mut done);
            // Closing waits for the broker, so it happens here, off the reactor. No list of partitions may
            // live on: librdkafka counts it as a user of the client and would wait for it without end.
            drop(consumer);
            committed
        };
        match tokio::task::spawn_blocking(leaving).await {
            Ok(Ok(())) => tracing::info!("the notifier left its group"),
            Ok(Err(error)) => tracing::info!(%error, "the notifier left without a last commit"),
            Err(error) => tracing::error!(%error, "leaving the group panicked"),
        }
    }

    async fn until_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.token.cancelled() => None,
            done = work => Some(done),
        }
    }
}

/// The first message of `receive`; meanwhile `reading` tells of the client's errors, and that they are over once
/// `broker_answers` ends.
///
/// Errors are passed over without a pause: the client queues hundreds of them in one outage, before the partitions that it
/// is given afterwards, and waits by itself when there is nothing to say.
async fn first<R, A>(
    receive: impl Fn() -> R,
    broker_answers: impl Fn() -> A,
    reading: &Reading,
) -> Received
where
    R: Future<Output = KafkaResult<Received>>,
    A: Future<Output = ()>,
{
    let mut lost = false;
    loop {
        let received = tokio::select! {
            received = receive() => received,
            // A quiet topic brings no message to say that the broker is back.
            () = broker_answers(), if lost => {
                lost = !reading.goes_on();
                continue;
            }
        };
        match received {
            Ok(message) => {
                reading.goes_on();
                return message;
            }
            Err(error) => {
                lost = true;
                reading.failed(&error);
            }
        }
    }
}

/// Asks for the topic and then the group's coordinator for an offset: a broker that answers this has both again. Blocks for
/// [`RECOVERY_TIMEOUT`] at most, each time.
fn ask_coordinator(consumer: &StreamConsumer, topic: &str) -> KafkaResult<()> {
    let metadata = consumer.fetch_metadata(Some(topic), RECOVERY_TIMEOUT)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    if let Some(code) = found.and_then(|found| found.error()) {
        return Err(KafkaError::MetadataFetch(code.into()));
    }
    let mut first = TopicPartitionList::new();
    first.add_partition(topic, 0);
    consumer
        .committed_offsets(first, RECOVERY_TIMEOUT)
        .map(drop)
}

/// Commits the offsets of the partitions that this member still has.
fn commit_owned(
    consumer: &StreamConsumer,
    topic: &str,
    done: &mut BTreeMap<i32, i64>,
) -> KafkaResult<()> {
    let assigned = consumer.assignment()?;
    done.retain(|partition, _| assigned.find_partition(topic, *partition).is_some());
    if done.is_empty() {
        return Ok(());
    }
    consumer.commit(&offsets(topic, done)?, CommitMode::Sync)
}

fn offsets(topic: &str, ends: &BTreeMap<i32, i64>) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (partition, end) in ends {
        list.add_partition_offset(topic, *partition, Offset::Offset(*end))?;
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::pending};

    use chassis::health::Health;

    use super::*;

    /// The clock stands still but for who sleeps: a pause after each error would show.
    #[tokio::test(start_paused = true)]
    async fn the_errors_of_a_long_outage_hold_up_no_message() {
        let health = Health::new();
        let errors = Cell::new(500_u32);
        let receive = || async {
            match errors.get() {
                0 => Ok(message()),
                left => {
                    errors.set(left - 1);
                    let code = RDKafkaErrorCode::BrokerTransportFailure;
                    Err(KafkaError::MessageConsumption(code))
                }
            }
        };
        let started = tokio::time::Instant::now();
        let taken = first(
            receive,
            pending,
            &Reading::new(health.component("notifier")),
        )
        .await;
        assert_eq!((taken.offset, started.elapsed()), (7, Duration::ZERO));
        assert!(health.is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn on_a_quiet_topic_the_coordinator_s_answer_ends_the_outage() {
        let health = Health::new();
        let errors = Cell::new(1_u32);
        let receive = || async {
            if errors.replace(0) == 0 {
                pending::<()>().await;
            }
            Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::BrokerTransportFailure,
            ))
        };
        let reading = Reading::new(health.component("notifier"));
        let answers = || tokio::time::sleep(CLIENT_PAUSE);
        let waiting = first(receive, answers, &reading);
        let watching = async {
            tokio::time::sleep(CLIENT_PAUSE / 2).await;
            assert!(!health.is_ready(), "the outage is told");
            tokio::time::sleep(CLIENT_PAUSE).await;
            assert!(health.is_ready(), "its end is told");
        };
        tokio::select! {
            _ = waiting => unreachable!("there is no message"),
            () = watching => {}
        }
    }

    /// Seen red with any message taken for the end of it.
    #[tokio::test(start_paused = true)]
    async fn a_batch_that_cannot_be_read_is_told_while_other_partitions_go_on() {
        let health = Health::new();
        let reading = Reading::new(health.component("notifier"));
        for code in [
            RDKafkaErrorCode::NotImplemented,
            RDKafkaErrorCode::BadCompression,
            RDKafkaErrorCode::BadMessage,
        ] {
            let errors = Cell::new(1_u32);
            let receive = || async {
                let is_over = errors.replace(0) == 0;
                let unreadable = KafkaError::MessageConsumption(code);
                is_over.then(message).ok_or(unreadable)
            };
            first(receive, pending, &reading).await;
            assert!(!health.is_ready(), "{code}: another partition's message");
            let quiet = first(pending, || tokio::time::sleep(CLIENT_PAUSE), &reading);
            let waited = tokio::time::timeout(UNREADABLE_FOR / 2, quiet).await;
            assert!(waited.is_err() && !health.is_ready(), "{code}: an answer");
            tokio::time::advance(UNREADABLE_FOR).await;
            first(receive, pending, &reading).await;
            assert!(health.is_ready(), "{code}: it is read after all");
        }
    }

    /// A quiet topic after such a batch was read or removed.
    #[tokio::test(start_paused = true)]
    async fn health_recovers_without_a_message() {
        let health = Health::new();
        let reading = Reading::new(health.component("notifier"));
        let errors = Cell::new(1_u32);
        let receive = || async {
            if errors.replace(0) == 0 {
                pending::<()>().await;
            }
            Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::NotImplemented,
            ))
        };
        let quiet = first(receive, || tokio::time::sleep(CLIENT_PAUSE), &reading);
        let waited = tokio::time::timeout(UNREADABLE_FOR * 2, quiet).await;
        assert!(waited.is_err() && health.is_ready());
    }

    fn message() -> Received {
        Received {
            partition: 0,
            offset: 7,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }
}
