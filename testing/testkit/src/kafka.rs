//! The broker of the tests, and topics in it.

use std::time::Duration;

use dev_services::state::StateDir;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::services::{KAFKA_BROKERS, keep_until_exit, start_kafka, variable};

/// The addresses of a real broker that all tests of a run share. Take a topic of your own with [`topic`].
///
/// # Panics
/// When none is running and none can be started.
pub async fn kafka() -> &'static str {
    static BROKERS: OnceCell<String> = OnceCell::const_new();
    BROKERS
        .get_or_init(|| async {
            if let Some(brokers) = variable(KAFKA_BROKERS) {
                return brokers;
            }
            let started = start_kafka().await.expect("Kafka for the tests starts");
            let brokers = started.0.brokers().to_owned();
            keep_until_exit(started);
            brokers
        })
        .await
}

/// A name that no other test uses, for a topic or a consumer group.
#[must_use]
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4().simple())
}

/// Creates a topic with a unique name in the shared broker.
///
/// # Panics
/// When the broker refuses.
pub async fn topic(partitions: i32) -> String {
    compressed_topic(partitions, "producer").await
}

/// The same, in which the broker compresses every batch by `codec`, a value of Kafka's `compression.type`, whatever its
/// producer did.
///
/// # Panics
/// When the broker refuses.
pub async fn compressed_topic(partitions: i32, codec: &str) -> String {
    let name = unique("order-events");
    create_topic(kafka().await, &name, partitions, codec).await;
    name
}

async fn create_topic(brokers: &str, name: &str, partitions: i32, codec: &str) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .expect("the settings are valid");
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let topic = topic.set("compression.type", codec);
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));
    let created = admin
        .create_topics([&topic], &options)
        .await
        .expect("the broker answers");
    for result in created {
        result.expect("a unique topic can be created");
    }
}

/// Writes one record to each partition in a transaction and aborts it, as an exactly-once copier does that gives up: what
/// stays are records that nobody reads, and markers.
///
/// # Panics
/// When the broker refuses.
pub async fn abort_transaction(brokers: &str, topic: &str, partitions: i32) {
    const LIMIT: Duration = Duration::from_secs(20);
    let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
    let aborting = move || {
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("transactional.id", Uuid::new_v4().to_string())
            .create()?;
        producer.init_transactions(LIMIT)?;
        producer.begin_transaction()?;
        let sent: Vec<_> = (0..partitions)
            .map(|partition| {
                let record = FutureRecord::<(), _>::to(&topic).payload("aborted");
                producer.send_result(record.partition(partition)).is_ok()
            })
            .collect();
        assert!(sent.into_iter().all(|is_sent| is_sent));
        producer.flush(LIMIT)?;
        producer.abort_transaction(LIMIT)
    };
    tokio::task::spawn_blocking(aborting)
        .await
        .expect("aborting does not panic")
        .expect("the broker takes it");
}

/// How many partitions each member of a settled consumer group has, fewest first; empty while the group settles.
///
/// # Panics
/// When the broker answers nonsense.
pub async fn assigned_partitions(group: &str) -> Vec<usize> {
    let brokers = kafka().await;
    let group = group.to_owned();
    let ask = move || {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .create()
            .expect("the settings are valid");
        // A new broker refuses while it loads the groups: that is not settled either.
        let Ok(listed) = client.fetch_group_list(Some(&group), Duration::from_secs(10)) else {
            return Vec::new();
        };
        let stable = listed.groups().iter().find(|one| one.state() == "Stable");
        let members = stable.map_or(&[][..], |one| one.members());
        let mut counts: Vec<_> = members
            .iter()
            .map(|member| member.assignment().map_or(0, assigned))
            .collect();
        counts.sort_unstable();
        counts
    };
    tokio::task::spawn_blocking(ask)
        .await
        .expect("listing a group does not panic")
}

/// Reads a member's assignment: a version, then for each topic its name and its partitions.
fn assigned(mut bytes: &[u8]) -> usize {
    fn number<const N: usize>(bytes: &mut &[u8]) -> usize {
        let (number, rest) = bytes
            .split_first_chunk::<N>()
            .expect("an assignment is whole");
        *bytes = rest;
        number
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    }
    if bytes.is_empty() {
        return 0;
    }
    number::<2>(&mut bytes);
    let topics = number::<4>(&mut bytes);
    let mut partitions = 0;
    for _ in 0..topics {
        let name = number::<2>(&mut bytes);
        bytes = &bytes[name..];
        let count = number::<4>(&mut bytes);
        bytes = &bytes[4 * count..];
        partitions += count;
    }
    partitions
}

/// A partition as its cluster sees it; brokers by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Who leads it; -1: nobody.
    pub leader: i32,
    /// How many brokers keep it.
    pub copies: usize,
    /// How many of them have all of it.
    pub insync: usize,
}

/// The partitions of a topic, in order; none while the cluster does not answer.
///
/// # Panics
/// When the question panics.
pub async fn partitions(brokers: &str, topic: &str) -> Vec<Partition> {
    let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
    let ask = move || {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("log_level", "0")
            .create()
            .expect("the settings are valid");
        let metadata = client
            .fetch_metadata(Some(&topic), Duration::from_secs(2))
            .ok()?;
        let found = metadata.topics().first()?.partitions().iter();
        let partitions = found.map(|it| Partition {
            leader: it.leader(),
            copies: it.replicas().len(),
            insync: it.isr().len(),
        });
        Some(partitions.collect())
    };
    let asked = tokio::task::spawn_blocking(ask).await;
    asked.expect("asking does not panic").unwrap_or_default()
}

/// A broker that belongs to one test, which may kill it.
#[derive(Debug)]
pub struct OwnKafka {
    kafka: dev_services::kafka::Kafka,
    _state: StateDir,
}

impl OwnKafka {
    /// Starts one on a free port.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn start() -> Self {
        let (kafka, state) = start_kafka().await.expect("a broker for one test starts");
        Self {
            kafka,
            _state: state,
        }
    }

    /// `host:port` for clients; the same after a restart.
    #[must_use]
    pub fn brokers(&self) -> &str {
        self.kafka.brokers()
    }

    /// Creates a topic in this broker.
    ///
    /// # Panics
    /// When the broker refuses.
    pub async fn create_topic(&self, name: &str, partitions: i32) {
        create_topic(self.brokers(), name, partitions, "producer").await;
    }

    /// Kills it with SIGKILL, as a crash would.
    pub async fn kill(&mut self) {
        self.kafka.kill().await;
    }

    /// Brings it back with the same data on the same port.
    ///
    /// # Panics
    /// When it does not come back.
    pub async fn restart(&mut self) {
        self.kafka
            .restart()
            .await
            .expect("a killed broker comes back");
    }
}
