//! A database with an outbox, a topic, relays between them, and someone who reads the topic.

use std::{collections::BTreeMap, time::Duration};

use chassis::{clock::Clock, health::Health, kafka, tasks::Tasks};
use migrations::Database;
use outbox::{Relay, RelayHandle, relay};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{Consumer as _, StreamConsumer},
    message::{Headers as _, Message as _},
};
use schema::event::{OrderEvent, OrderStatus, header};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement, TransactionTrait as _};
use testkit::TestDatabase;
use uuid::Uuid;

/// Longest wait for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A topic beside that of the order events.
pub(crate) const TOPIC: &str = "things";

/// What a message of the topic says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) event: OrderEvent,
    pub(crate) epoch: String,
}

/// An order service as far as its outbox goes.
pub(crate) struct Shop {
    pub(crate) database: TestDatabase,
    pub(crate) kafka: kafka::Config,
    pub(crate) topic: StreamConsumer,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let topic = testkit::topic(2).await;
        Self::with_topic(testkit::kafka().await, topic).await
    }

    pub(crate) async fn with_topic(brokers: &str, topic: String) -> Self {
        let kafka = kafka::Config {
            brokers: brokers.to_owned(),
            topic,
            ..kafka::Config::default()
        };
        let topic = read(&kafka);
        Self {
            database: testkit::database(Database::Loms).await,
            kafka,
            topic,
        }
    }

    /// A process with a relay.
    pub(crate) fn process(&self) -> Process {
        self.process_with(relay::Config::default())
    }

    pub(crate) fn process_with(&self, config: relay::Config) -> Process {
        let (tasks, health) = (Tasks::new(), Health::new());
        let db = self.database.db.clone();
        let relay = Relay::start(
            config,
            db,
            self.kafka.clone(),
            &[TOPIC],
            Clock::system(),
            &tasks,
            &health,
        );
        Process {
            relay,
            tasks,
            health,
        }
    }

    /// Commits the events in one transaction.
    pub(crate) async fn commit(&self, events: &[OrderEvent]) {
        let tx = self.database.db.begin().await.unwrap();
        outbox::append(&tx, events).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.database.db.execute_unprepared(sql).await.unwrap();
    }

    /// Rows that are not marked as sent.
    pub(crate) async fn unsent(&self) -> i64 {
        self.count("select count(*) as n from outbox where sent_at is null")
            .await
    }

    /// Sessions that wait for wakes of other processes.
    pub(crate) async fn listeners(&self) -> i64 {
        let sql = "select count(*) as n from pg_stat_activity \
                   where datname = current_database() and query ilike 'listen%'";
        self.count(sql).await
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let row = self.database.db.query_one_raw(statement).await.unwrap();
        row.unwrap().try_get("", "n").unwrap()
    }

    pub(crate) async fn until_all_sent(&self) {
        testkit::eventually("all is marked as sent", LIMIT, async || {
            (self.unsent().await == 0).then_some(())
        })
        .await;
    }

    /// The next message of the topic.
    pub(crate) async fn next(&self) -> Seen {
        tokio::time::timeout(LIMIT, receive(&self.topic))
            .await
            .expect("a message in time")
    }

    /// The messages of the topic, repeats among them.
    pub(crate) fn sent_to_topic(&self) -> i64 {
        let ends = (0..2).map(|partition| {
            let bounds = self
                .topic
                .fetch_watermarks(&self.kafka.topic, partition, LIMIT);
            bounds.unwrap().1
        });
        ends.sum()
    }

    /// Every message until each event was seen, in the order of arrival.
    pub(crate) async fn until_seen(&self, events: &[OrderEvent]) -> Vec<Seen> {
        let mut missing: BTreeMap<Uuid, ()> =
            events.iter().map(|event| (event.event_id, ())).collect();
        let mut all = Vec::new();
        while !missing.is_empty() {
            let seen = self.next().await;
            missing.remove(&seen.event.event_id);
            all.push(seen);
        }
        all
    }
}

/// A process of the order service.
pub(crate) struct Process {
    pub(crate) relay: RelayHandle,
    pub(crate) tasks: Tasks,
    pub(crate) health: Health,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

/// The first copies of each order's events must be versions 1, 2, 3 …; repeats may stand anywhere behind.
pub(crate) fn assert_in_order(seen: &[Seen]) {
    let mut last = BTreeMap::<i64, u32>::new();
    for Seen { event, .. } in seen {
        let last = last.entry(event.order_id.get()).or_default();
        assert!(
            event.version <= *last + 1,
            "order {} jumped from {last}",
            event.order_id
        );
        *last = (*last).max(event.version);
    }
}

/// Versions 1 to `versions` of orders `orders`.
pub(crate) fn changes(orders: std::ops::Range<i64>, versions: u32) -> Vec<OrderEvent> {
    let all = orders.flat_map(|order| (1..=versions).map(move |version| change(order, version)));
    all.collect()
}

pub(crate) fn change(order: i64, version: u32) -> OrderEvent {
    OrderEvent {
        event_id: Uuid::new_v4(),
        order_id: order.try_into().unwrap(),
        user_id: 5.try_into().unwrap(),
        version,
        status: OrderStatus::AwaitingPayment,
        moment: "2026-08-01T10:00:00.123456Z".parse().unwrap(),
        // Messages of the release before have none.
        skus: (1..order).map(|sku| sku.try_into().unwrap()).collect(),
        traceparent: (version == 1).then(|| "00-aa-bb-01".to_owned()),
    }
}

/// Reads a topic of two partitions from its beginning.
pub(crate) fn read(kafka: &kafka::Config) -> StreamConsumer {
    let consumer = kafka::reader(kafka).unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..2 {
        list.add_partition_offset(&kafka.topic, partition, Offset::Offset(0))
            .unwrap();
    }
    consumer.assign(&list).unwrap();
    consumer
}

async fn receive(topic: &StreamConsumer) -> Seen {
    loop {
        // An error is the broker being away, which some tests want.
        let Ok(message) = topic.recv().await else {
            continue;
        };
        let header = |name: &str| {
            let headers = message.headers()?;
            let found = headers.iter().find(|header| header.key == name)?;
            found.value.map(<[u8]>::to_vec)
        };
        let event = OrderEvent::decode(message.payload().unwrap(), header).unwrap();
        assert_eq!(message.key().unwrap(), event.key().as_bytes());
        let epoch = String::from_utf8(header(header::STREAM_EPOCH).unwrap()).unwrap();
        return Seen { event, epoch };
    }
}
