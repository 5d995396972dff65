//! The topic's bounds, asked from the broker: one question at a time for everybody who waits.
//!
//! A question is sent only after those it answers have asked, so its answer is never older than the call:
//! what the broker had acknowledged before is below `high`.

use std::{sync::Arc, time::Duration};

use chassis::kafka;
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, KafkaResult},
};
use tokio::sync::{mpsc, oneshot};

use crate::consumer;

/// Questions that may wait; more are refused at once.
const WAITING: usize = 16_384;

/// First and next offset of every partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) low: Vec<i64>,
    pub(crate) high: Vec<i64>,
}

/// The broker did not answer in time, or refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unavailable {
    /// The broker's or the client's reason.
    #[error("the broker does not answer: {0}")]
    Broker(#[source] KafkaError),
    /// The topic has not been read up to its end yet, or the reader stops.
    #[error("the order-event stream is not ready")]
    NotReady,
}

type Answer = Result<Bounds, Unavailable>;

/// Asks for the topic's bounds.
#[derive(Debug, Clone)]
pub(crate) struct BoundsQuery {
    questions: mpsc::Sender<oneshot::Sender<Answer>>,
}

impl BoundsQuery {
    /// The query, and the task that answers it; the task ends with the last clone.
    pub(crate) fn new(
        config: kafka::Config,
        timeout: Duration,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (questions, waiting) = mpsc::channel(WAITING);
        (Self { questions }, serve(config, timeout, waiting))
    }

    /// The bounds at some moment after this call.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn ask(&self) -> Answer {
        let (question, answer) = oneshot::channel();
        self.questions
            .try_send(question)
            .map_err(|_| Unavailable::NotReady)?;
        answer.await.map_err(|_| Unavailable::NotReady)?
    }
}

async fn serve(
    config: kafka::Config,
    timeout: Duration,
    mut waiting: mpsc::Receiver<oneshot::Sender<Answer>>,
) {
    let mut client: Option<Arc<BaseConsumer>> = None;
    let mut questions = Vec::new();
    while waiting.recv_many(&mut questions, WAITING).await > 0 {
        let answer = ask_broker(&config, timeout, &mut client).await;
        for question in questions.drain(..) {
            // Whoever asked may have gone.
            drop(question.send(answer.clone()));
        }
    }
}

async fn ask_broker(
    config: &kafka::Config,
    timeout: Duration,
    client: &mut Option<Arc<BaseConsumer>>,
) -> Answer {
    if client.is_none() {
        *client = Some(Arc::new(connect(config).map_err(Unavailable::Broker)?));
    }
    let asked = client.clone().ok_or(Unavailable::NotReady)?;
    let topic = config.topic.clone();
    let query = move || query_bounds(&asked, &topic, timeout);
    tokio::task::spawn_blocking(query)
        .await
        .map_err(|_| Unavailable::NotReady)?
        .map_err(Unavailable::Broker)
}

/// A consumer that only asks for the topic's bounds.
fn connect(config: &kafka::Config) -> KafkaResult<BaseConsumer> {
    consumer::settings(config).create()
}

/// Asks the broker for the first and the next offset of every partition. Blocks up to `timeout` a request.
fn query_bounds(consumer: &BaseConsumer, topic: &str, timeout: Duration) -> KafkaResult<Bounds> {
    let metadata = consumer.fetch_metadata(Some(topic), timeout)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    if let Some(code) = found.and_then(|found| found.error()) {
        return Err(KafkaError::MetadataFetch(code.into()));
    }
    let partitions = found.map_or(0, |found| found.partitions().len());
    let mut bounds = Bounds {
        low: Vec::new(),
        high: Vec::new(),
    };
    for partition in 0..partitions {
        let partition = i32::try_from(partition).map_err(|_| consumer::too_many_partitions())?;
        let (low, high) = consumer.fetch_watermarks(topic, partition, timeout)?;
        bounds.low.push(low);
        bounds.high.push(high);
    }
    Ok(bounds)
}
