//! The Kafka side of the relay: an idempotent producer and the topic's bounds.

use std::time::Duration;

use chassis::{crash, kafka, telemetry::trace};
use rdkafka::{
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer as _},
};
use schema::event::header;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::{publish::Fault, row::Message};

/// Longest wait for the topic's bounds.
const BOUNDS_TIMEOUT: Duration = Duration::from_secs(3);

/// A producer for one topic.
#[derive(Clone)]
pub(crate) struct Publisher {
    producer: FutureProducer,
    topic: String,
}

impl Publisher {
    pub(crate) fn new(config: &kafka::Config) -> KafkaResult<Self> {
        Ok(Self {
            producer: kafka::producer(config)?,
            topic: config.topic.clone(),
        })
    }

    /// Sends one event and waits for the acknowledgement of all in-sync replicas.
    pub(crate) async fn send(&self, message: Message, epoch: Uuid) -> Result<(i32, i64), Fault> {
        let span = tracing::debug_span!(
            "publish",
            otel.name = format!("publish {}", self.topic),
            otel.kind = "producer",
            key = %message.key,
            version = message.version,
            trace_id = tracing::field::Empty,
        );
        let span = trace::follow(span, message.traceparent.as_deref());
        self.publish(message, epoch, &span)
            .instrument(span.clone())
            .await
    }

    async fn publish(
        &self,
        mut message: Message,
        epoch: Uuid,
        span: &Span,
    ) -> Result<(i32, i64), Fault> {
        message.traceparent = trace::traceparent(span).or(message.traceparent);
        let record = FutureRecord::to(&self.topic)
            .key(&message.key)
            .payload(&message.value)
            .headers(headers(&message, epoch));
        // No wait for room in the queue: a page is far smaller than the queue.
        match self.producer.send(record, Duration::ZERO).await {
            // The broker that is killed here has the event, and we do not know.
            Ok(_) if crash::hold("relay::after_send").await => Err(Fault::Broker),
            Ok(delivery) => Ok((delivery.partition, delivery.offset)),
            Err((error, _)) => {
                tracing::debug!(key = %message.key, version = message.version, %error,
                    "event not acknowledged");
                Err(fault(&error))
            }
        }
    }

    /// Whether the producer gave up for good and has to be replaced.
    pub(crate) fn is_broken(&self) -> bool {
        self.producer.client().fatal_error().is_some()
    }

    /// The next offset of every partition. Asks the broker off the reactor.
    pub(crate) async fn ends(&self) -> KafkaResult<Vec<i64>> {
        let asked = self.clone();
        tokio::task::spawn_blocking(move || asked.query_ends())
            .await
            .unwrap_or(Err(KafkaError::Canceled))
    }

    fn query_ends(&self) -> KafkaResult<Vec<i64>> {
        let client = self.producer.client();
        let metadata = client.fetch_metadata(Some(&self.topic), BOUNDS_TIMEOUT)?;
        let found = metadata
            .topics()
            .iter()
            .find(|topic| topic.name() == self.topic);
        if let Some(code) = found.and_then(|topic| topic.error()) {
            return Err(KafkaError::MetadataFetch(code.into()));
        }
        let partitions = found.map_or(&[][..], |topic| topic.partitions());
        partitions
            .iter()
            .map(|it| client.fetch_watermarks(&self.topic, it.id(), BOUNDS_TIMEOUT))
            .map(|bounds| bounds.map(|(_, high)| high))
            .collect()
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Publisher({})", self.topic)
    }
}

fn headers(message: &Message, epoch: Uuid) -> OwnedHeaders {
    let trace = message.traceparent.clone();
    let trace = trace.map(|trace| (header::TRACEPARENT, trace));
    let epoch = (header::STREAM_EPOCH, epoch.to_string());
    message.headers.iter().chain(&trace).chain([&epoch]).fold(
        OwnedHeaders::new(),
        |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(value),
            })
        },
    )
}

/// Tells what concerns one message from what concerns the broker. Whatever is not surely the message's own
/// fault counts as the broker's: the pass then stops and backs off.
fn fault(error: &KafkaError) -> Fault {
    match error.rdkafka_error_code() {
        Some(
            Code::MessageSizeTooLarge
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::MessageBatchTooLarge,
        ) => Fault::Message,
        _ => Fault::Broker,
    }
}
