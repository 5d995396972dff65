//! Replicas of the notifier, the topic they read, and the sink they deliver to.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chassis::{clock::Clock, health::Health, kafka, tasks::Tasks};
use futures::future::BoxFuture;
use migrations::Database;
use notifier::{Config, Dependencies, Service, Sink, SinkError, webhook};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use schema::event::{OrderEvent, OrderStatus};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use testkit::TestDatabase;
use tokio::sync::Mutex;
use uuid::Uuid;

/// Longest wait for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A sink that remembers, and refuses when told to.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    taken: Mutex<Vec<OrderEvent>>,
    pub(crate) refuses: AtomicBool,
}

impl Sink for Memory {
    fn deliver<'a>(&'a self, event: &'a OrderEvent) -> BoxFuture<'a, Result<(), SinkError>> {
        Box::pin(async move {
            if self.refuses.load(Ordering::Acquire) {
                return Err(SinkError(io::Error::other("refused by the test")));
            }
            self.taken.lock().await.push(event.clone());
            Ok(())
        })
    }
}

/// A topic, a database and a sink that replicas share.
pub(crate) struct Stage {
    pub(crate) database: TestDatabase,
    pub(crate) sink: Arc<Memory>,
    pub(crate) kafka: kafka::Config,
    group: String,
    pub(crate) webhook: webhook::Config,
    pub(crate) retention: Duration,
    producer: FutureProducer,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::over(testkit::topic(2).await).await
    }

    /// Over a topic of its own in the shared broker.
    pub(crate) async fn over(topic: String) -> Self {
        let kafka = kafka::Config {
            brokers: testkit::kafka().await.to_owned(),
            topic,
            ..kafka::Config::default()
        };
        Self {
            database: testkit::database(Database::Notifier).await,
            sink: Arc::default(),
            producer: kafka::producer(&kafka).unwrap(),
            group: testkit::unique("notifier-group"),
            webhook: webhook::Config::default(),
            retention: Config::default().retention,
            kafka,
        }
    }

    /// One more replica.
    pub(crate) async fn replica(&self) -> Replica {
        let (tasks, health) = (Tasks::new(), Health::new());
        let config = Config {
            group: self.group.clone(),
            database: self.database.name.clone(),
            webhook: self.webhook.clone(),
            retention: self.retention,
            backoff_min: Duration::from_millis(20),
            backoff_max: Duration::from_millis(200),
            ..Config::default()
        };
        let dependencies = Dependencies {
            postgres: self.database.config(),
            kafka: self.kafka.clone(),
            clock: Clock::system(),
        };
        Service::start_with(self.sink.clone(), config, dependencies, &tasks, &health)
            .await
            .unwrap();
        Replica { tasks, health }
    }

    /// Writes an event to the topic, as the relay does.
    pub(crate) async fn write(&self, event: &OrderEvent) {
        let headers = event.headers();
        let headers = headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header {
                    key,
                    value: Some(value),
                })
            });
        self.send(&event.key(), &event.value(), headers).await;
    }

    pub(crate) async fn send(&self, key: &str, value: &[u8], headers: OwnedHeaders) -> (i32, i64) {
        let record = FutureRecord::to(&self.kafka.topic)
            .key(key)
            .payload(value)
            .headers(headers);
        let delivery = self.producer.send(record, LIMIT).await.unwrap();
        (delivery.partition, delivery.offset)
    }

    /// What the sink took, once it is at least `count`.
    pub(crate) async fn taken(&self, count: usize) -> Vec<OrderEvent> {
        testkit::eventually("the sink took them", LIMIT, async || {
            let taken = self.sink.taken.lock().await;
            (taken.len() >= count).then(|| taken.clone())
        })
        .await
    }

    pub(crate) async fn count(&self, table: &str) -> i64 {
        let sql = format!("select count(*) as n from {table}");
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let row = self.database.db.query_one_raw(statement).await.unwrap();
        row.unwrap().try_get("", "n").unwrap()
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.database.db.execute_unprepared(sql).await.unwrap();
    }

    /// Waits until the table has this many rows.
    pub(crate) async fn until_count(&self, table: &str, count: i64) {
        testkit::eventually("the rows are there", LIMIT, async || {
            (self.count(table).await == count).then_some(())
        })
        .await;
    }
}

/// A running notifier.
pub(crate) struct Replica {
    pub(crate) tasks: Tasks,
    pub(crate) health: Health,
}

impl Replica {
    /// Stops as a signal would make it.
    pub(crate) async fn stop(self) {
        assert_eq!(self.tasks.shutdown(LIMIT).await, Vec::<&str>::new());
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

pub(crate) fn change(order: i64, version: u32) -> OrderEvent {
    OrderEvent {
        event_id: Uuid::new_v4(),
        order_id: order.try_into().unwrap(),
        user_id: 5.try_into().unwrap(),
        version,
        status: OrderStatus::Paid,
        moment: "2026-08-01T10:00:00.123456Z".parse().unwrap(),
        skus: Vec::new(),
        traceparent: None,
    }
}
