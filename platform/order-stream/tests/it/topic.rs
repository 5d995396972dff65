//! A topic of a test's own, written as the relay writes it.

use std::time::Duration;

use chassis::{health::Health, kafka, tasks::Tasks};
use order_stream::{Config, Cursor, Item, OrderStream, Reader, Scope};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use schema::{
    event::{OrderEvent, OrderStatus, header},
    id::OrderId,
};
use uuid::Uuid;

/// Longest wait for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The epoch of a topic unless a test says otherwise.
pub(crate) const EPOCH: Uuid = Uuid::from_u128(7);

/// A topic with a producer.
pub(crate) struct Topic {
    pub(crate) kafka: kafka::Config,
    producer: FutureProducer,
}

impl Topic {
    /// A new topic in the shared broker.
    pub(crate) async fn new(partitions: i32) -> Self {
        let topic = testkit::topic(partitions).await;
        Self::at(testkit::kafka().await, topic)
    }

    /// A topic that exists.
    pub(crate) fn at(brokers: &str, topic: String) -> Self {
        let kafka = kafka::Config {
            brokers: brokers.to_owned(),
            topic,
            ..kafka::Config::default()
        };
        Self {
            producer: kafka::producer(&kafka).unwrap(),
            kafka,
        }
    }

    /// What a metric of this topic stands at.
    pub(crate) fn metric(&self, name: &str) -> Option<String> {
        let series = format!("{name}{{topic=\"{}\"}} ", self.kafka.topic);
        let text = chassis::telemetry::metrics_text();
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(&series).map(str::to_owned))
    }

    /// Writes one version of one order; [`event`] says whose and of what.
    pub(crate) async fn write(&self, order: i64, version: u32) -> (i32, i64) {
        self.write_in(EPOCH, order, version).await
    }

    /// Writes in another epoch.
    pub(crate) async fn write_in(&self, epoch: Uuid, order: i64, version: u32) -> (i32, i64) {
        let event = event(order, version);
        let epoch = (header::STREAM_EPOCH, epoch.to_string());
        let headers = event.headers().into_iter().chain([epoch]);
        let headers = headers.fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(&value),
            })
        });
        self.send(&event.key(), &event.value(), headers).await
    }

    /// Writes something that is not an order event.
    pub(crate) async fn write_noise(&self, key: &str) -> (i32, i64) {
        self.send(key, b"noise", OwnedHeaders::new()).await
    }

    async fn send(&self, key: &str, value: &[u8], headers: OwnedHeaders) -> (i32, i64) {
        let record = FutureRecord::to(&self.kafka.topic)
            .key(key)
            .payload(value)
            .headers(headers);
        let delivery = self.producer.send(record, LIMIT).await.unwrap();
        (delivery.partition, delivery.offset)
    }

    /// What an exactly-once copier leaves that gave up: records that nobody reads, and markers.
    pub(crate) async fn abort_a_transaction(&self, partitions: i32) {
        testkit::abort_transaction(&self.kafka.brokers, &self.kafka.topic, partitions).await;
    }

    /// A process that follows the topic.
    pub(crate) fn process(&self, log_bytes: usize) -> Process {
        let (tasks, health) = (Tasks::new(), Health::new());
        let config = Config {
            log_bytes,
            check_interval: Duration::from_millis(200),
            ..Config::default()
        };
        let stream = OrderStream::start(config, self.kafka.clone(), &tasks, &health);
        Process {
            stream,
            tasks,
            health,
        }
    }
}

/// A router node, as far as the stream is concerned.
pub(crate) struct Process {
    pub(crate) stream: OrderStream,
    pub(crate) tasks: Tasks,
    pub(crate) health: Health,
}

impl Process {
    /// The end of the stream, as soon as there is one.
    pub(crate) async fn end(&self) -> Cursor {
        testkit::eventually("the end of the stream", LIMIT, async || {
            self.stream.end_cursor().await.ok()
        })
        .await
    }

    pub(crate) fn from(&self, scope: Scope, cursor: &Cursor) -> Reader {
        let cursor = Cursor::parse(&cursor.to_string()).unwrap();
        self.stream.reader(scope, cursor)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

/// The next item, within the limit.
pub(crate) async fn next(reader: &mut Reader) -> Item {
    tokio::time::timeout(LIMIT, reader.next())
        .await
        .expect("an item in time")
        .unwrap()
}

/// The next event's (order, version) and the cursor after it.
pub(crate) async fn next_event(reader: &mut Reader) -> ((i64, u32), Cursor) {
    match next(reader).await {
        Item::Event { event, cursor } => ((event.order_id.get(), event.version), cursor),
        Item::Gap { cursor } => panic!("a gap up to {cursor:?}"),
    }
}

pub(crate) fn order(id: i64) -> OrderId {
    id.try_into().unwrap()
}

/// Of user 1 to 3, with SKU 99 and one of 10 to 13, both by the order; the status by the version.
pub(crate) fn event(order: i64, version: u32) -> OrderEvent {
    let skus = [10 + order % 4, 99];
    OrderEvent {
        event_id: Uuid::new_v4(),
        order_id: order.try_into().unwrap(),
        user_id: (order % 3 + 1).try_into().unwrap(),
        version,
        status: OrderStatus::ALL[usize::try_from(version).unwrap() % OrderStatus::ALL.len()],
        moment: "2026-08-01T10:00:00Z".parse().unwrap(),
        skus: skus.map(|sku| sku.try_into().unwrap()).to_vec(),
        traceparent: None,
    }
}
