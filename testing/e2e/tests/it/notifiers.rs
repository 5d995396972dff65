//! The operator who runs three notifiers on two partitions, and loses one. Source: docs/contracts.md §7.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use dev_services::child::{Output, Supervised};
use dev_services::process::Signal;
use migrations::Database;
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::record::Record;
use schema::event::{OrderEvent, OrderStatus};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use serde_json::Value;
use tempfile::TempDir;
use testkit::{TestDatabase, eventually};
use uuid::Uuid;

use crate::shop::command;

const LIMIT: Duration = Duration::from_secs(40);
const ORDERS: i64 = 20;

/// A process of `marketplace notifier`.
struct Replica {
    child: Supervised,
    log: PathBuf,
}

impl Replica {
    /// The ids of the events that it printed, one line each.
    fn printed(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            .filter(|line| line["notification"] == "order status changed")
            .map(|line| line["event_id"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A topic, a group and a database that the replicas share.
struct Stage {
    folder: TempDir,
    database: TestDatabase,
    topic: String,
    group: String,
    partitions: Vec<PartitionClient>,
}

impl Stage {
    async fn new() -> Self {
        let brokers = testkit::kafka().await.to_owned();
        let topic = testkit::topic(2).await;
        let client = ClientBuilder::new(vec![brokers]).build().await.unwrap();
        let mut partitions = Vec::new();
        for partition in [0, 1] {
            let handling = UnknownTopicHandling::Retry;
            let opened = client.partition_client(&topic, partition, handling);
            partitions.push(opened.await.unwrap());
        }
        Self {
            folder: TempDir::with_prefix("marketplace-notifiers-").unwrap(),
            database: testkit::database(Database::Notifier).await,
            group: testkit::unique("notifier-group"),
            topic,
            partitions,
        }
    }

    async fn replica(&self, name: &str) -> Replica {
        let state = self.folder.path().join(name);
        std::fs::create_dir(&state).unwrap();
        let log = state.join("stdout.log");
        let mut command = command(&state, 0);
        command
            .arg("notifier")
            .env("MARKETPLACE_POSTGRES_URL", &self.database.url)
            .env("MARKETPLACE_KAFKA_BROKERS", testkit::kafka().await)
            .env("MARKETPLACE_KAFKA_TOPIC", &self.topic)
            .env("MARKETPLACE_NOTIFIER_DATABASE", &self.database.name)
            .env("MARKETPLACE_NOTIFIER_GROUP", &self.group)
            .env("MARKETPLACE_NOTIFIER_ADMIN_LISTEN", "127.0.0.1:0");
        let output = Output::Log(&log);
        let child = Supervised::start("notifier", command, output, Signal::Term, None);
        Replica {
            child: child.unwrap(),
            log,
        }
    }

    /// Waits until the group has settled with this many partitions at its members.
    async fn until_assigned(&self, expected: &[usize]) {
        eventually("the group has settled", LIMIT, async || {
            (testkit::assigned_partitions(&self.group).await == expected).then_some(())
        })
        .await;
    }

    /// Writes one event of each order; even orders go to one partition and odd ones to the other.
    async fn write(&self, version: u32) {
        for (partition, client) in (0..).zip(&self.partitions) {
            let orders = (1..=ORDERS).filter(|order| order % 2 == partition);
            let records = orders.map(|order| record(order, version)).collect();
            let written = client.produce(records, Compression::NoCompression);
            written.await.unwrap();
        }
    }

    async fn count(&self, table: &str) -> i64 {
        let sql = format!("select count(*) as n from {table}");
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let row = self.database.db.query_one_raw(statement).await.unwrap();
        row.unwrap().try_get("", "n").unwrap()
    }

    /// Waits until so many events have been handled, and checks that each has one inbox row and one effect.
    async fn until_handled(&self, events: i64) {
        eventually("every event is handled", LIMIT, async || {
            let delivered = self
                .count("deliveries where delivered_at is not null")
                .await;
            (delivered == events).then_some(())
        })
        .await;
        assert_eq!(self.count("inbox").await, events);
        assert_eq!(self.count("deliveries").await, events);
        assert_eq!(self.count("dead_letters").await, 0);
    }
}

fn record(order: i64, version: u32) -> Record {
    let event = OrderEvent {
        event_id: Uuid::new_v4(),
        order_id: order.try_into().unwrap(),
        user_id: 5.try_into().unwrap(),
        version,
        status: OrderStatus::Paid,
        moment: "2026-08-01T10:00:00.5Z".parse().unwrap(),
        skus: Vec::new(),
        traceparent: None,
    };
    let headers = event.headers().into_iter();
    Record {
        key: Some(event.key().into_bytes()),
        value: Some(event.value()),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.into_bytes()))
            .collect(),
        timestamp: event.moment,
    }
}

/// Two work and one stands by; when a working one is killed amid events, the idle one takes its place, and no event
/// has a second effect. Seen red with a group of its own for each replica: nobody was idle.
#[tokio::test]
async fn of_three_notifiers_one_is_idle_and_replaces_one_that_is_killed() {
    let stage = Stage::new().await;
    let mut replicas = Vec::new();
    for name in ["a", "b", "c"] {
        replicas.push(stage.replica(name).await);
    }
    stage.until_assigned(&[0, 1, 1]).await;
    for version in 1..=3 {
        stage.write(version).await;
    }
    stage.until_handled(3 * ORDERS).await;
    let printed = |replicas: &[Replica]| -> Vec<Vec<String>> {
        replicas.iter().map(Replica::printed).collect()
    };
    let mut first = printed(&replicas);
    first.sort_by_key(Vec::len);
    let half = usize::try_from(3 * ORDERS / 2).unwrap();
    let lengths: Vec<_> = first.iter().map(Vec::len).collect();
    assert_eq!(lengths, [0, half, half], "one is idle, the others share");
    assert_eq!(distinct(&first), 2 * half, "each event once");

    let working = replicas
        .iter()
        .position(|replica| !replica.printed().is_empty());
    let mut killed = replicas.remove(working.unwrap());
    stage.write(4).await;
    killed.child.kill().await;
    for version in 5..=6 {
        stage.write(version).await;
    }
    stage.until_handled(6 * ORDERS).await;
    stage.until_assigned(&[1, 1]).await;
    let mut all = printed(&replicas);
    assert!(
        all.iter().all(|one| !one.is_empty()),
        "the idle one works now"
    );
    all.push(killed.printed());
    // One that was printed and not yet noted when its process died is printed again, under the same id.
    let events = usize::try_from(6 * ORDERS).unwrap();
    assert_eq!(distinct(&all), events, "each event at least once");
    for mut replica in replicas {
        let status = replica.child.stop(Duration::from_secs(15)).await;
        assert!(status.success(), "{status}");
    }
}

fn distinct(printed: &[Vec<String>]) -> usize {
    printed.iter().flatten().collect::<BTreeSet<_>>().len()
}
