//! Kafka clients with the settings that the pipeline's guarantees rest on.
//!
//! librdkafka's defaults lose and reorder, so nobody constructs a client elsewhere.

use std::time::Duration;

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::StreamConsumer,
    error::{KafkaError, RDKafkaErrorCode},
    producer::FutureProducer,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the broker is and what the stream is called.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `host:port`, several divided by commas. Empty: `up` starts a broker.
    pub brokers: String,
    /// The topic of order events. With another name than the default, the other topics are `TOPIC.NAME`.
    #[schemars(length(min = 1))]
    pub topic: String,
    /// Partitions of a topic that we create: the most relay shards and notifier replicas that work in parallel.
    #[schemars(range(min = 1))]
    pub partitions: i32,
    /// Copies of each partition of a topic that we create.
    #[schemars(range(min = 1))]
    pub replication: i32,
    /// How long a produced message may wait for its acknowledgement.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub delivery_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            brokers: String::new(),
            topic: schema::event::TOPIC.into(),
            partitions: i32::from(schema::event::PARTITIONS),
            replication: 1,
            delivery_timeout: Duration::from_secs(30),
        }
    }
}

impl Config {
    /// The same broker with another topic of this marketplace. Where the order events have a name of their own, the others do
    /// not share theirs with a marketplace beside it: `TOPIC.NAME` stands for `NAME`.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        let topic = if self.topic == schema::event::TOPIC {
            name.to_owned()
        } else {
            format!("{}.{name}", self.topic)
        };
        Self {
            topic,
            ..self.clone()
        }
    }
}

/// An idempotent producer that waits for all in-sync replicas.
///
/// # Errors
/// When librdkafka refuses the settings.
pub fn producer(config: &Config) -> Result<FutureProducer, KafkaError> {
    let mut client = base(config);
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "0")
        // The partitioner of JVM clients, so that one key has one partition whoever writes.
        .set("partitioner", "murmur2_random")
        .set(
            "message.timeout.ms",
            config.delivery_timeout.as_millis().to_string(),
        );
    client.create()
}

/// A member of consumer group `group`: from the oldest offset, committing only what it is told to.
///
/// # Errors
/// When librdkafka refuses the settings.
pub fn group_consumer(config: &Config, group: &str) -> Result<StreamConsumer, KafkaError> {
    let mut client = reading(config);
    client
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", "6000")
        // Also how long the broker waits, while it divides the partitions, for a member that was killed meanwhile: with
        // the default of five minutes one unlucky kill stops the whole group for that long.
        .set("max.poll.interval.ms", "15000")
        .set("heartbeat.interval.ms", "1000");
    client.create()
}

/// A reader without a group, for assigned partitions. An offset out of range is an error: the sign of a gap.
///
/// # Errors
/// When librdkafka refuses the settings.
pub fn reader(config: &Config) -> Result<StreamConsumer, KafkaError> {
    reader_settings(config).create()
}

/// The settings of [`reader`], for a reader that adds its own buffer sizes or events.
#[must_use]
pub fn reader_settings(config: &Config) -> ClientConfig {
    let mut client = reading(config);
    // librdkafka wants a group id even where no group is joined and nothing is committed.
    client
        .set("group.id", "marketplace-reader")
        .set("auto.offset.reset", "error");
    client
}

/// A client for topics.
///
/// # Errors
/// When librdkafka refuses the settings.
pub fn admin(config: &Config) -> Result<AdminClient<DefaultClientContext>, KafkaError> {
    base(config).create()
}

/// Creates the topic unless it exists.
///
/// # Errors
/// When the broker is out of reach or refuses.
pub async fn ensure_topic(config: &Config) -> Result<(), KafkaError> {
    let topic = NewTopic::new(
        &config.topic,
        config.partitions,
        TopicReplication::Fixed(config.replication),
    );
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));
    for result in admin(config)?.create_topics(&[topic], &options).await? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(KafkaError::AdminOp(code)),
        }
    }
    Ok(())
}

fn reading(config: &Config) -> ClientConfig {
    let mut client = base(config);
    client
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "false")
        .set("fetch.wait.max.ms", "50")
        .set("isolation.level", "read_committed");
    client
}

fn base(config: &Config) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.brokers)
        .set("client.id", "marketplace")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.keepalive.enable", "true")
        .set("topic.metadata.refresh.interval.ms", "30000");
    client
}
