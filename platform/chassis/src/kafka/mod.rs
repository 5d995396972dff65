//! Kafka clients with the settings that the pipeline's guarantees rest on.
//!
//! librdkafka's defaults lose and reorder, and wait a minute for a broker that stands still, so nobody constructs a client
//! elsewhere. What topics are made of, and whether they are as strong as the settings ask, is in [`topic`].

pub mod topic;

use std::time::Duration;

use rdkafka::{
    ClientConfig, admin::AdminClient, client::DefaultClientContext, consumer::StreamConsumer,
    error::KafkaError, producer::FutureProducer,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::topic::{TopicError, ensure_topic};
use crate::config::Secret;

/// How long a broker may take to answer before its connection is closed and the others are asked who leads now. A broker
/// that is frozen says nothing, so this is most of what its partitions stand still.
const ANSWER_TIMEOUT_MS: &str = "4000";
/// The same of a producer, since events wait for it. librdkafka looks once or twice in a second, so it is two to four. A leader
/// that is well answers later than that when a copy of it is frozen: the repeat is known by its sequence number, and written once.
const WRITE_TIMEOUT_MS: &str = "2000";

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
    /// Copies of each partition of a topic, on as many brokers. A topic that we create has them; one that has fewer is told
    /// at the start and in health, and refused in production.
    #[schemars(range(min = 1), extend("x-formerly" = "replication"))]
    pub replication_factor: i32,
    /// Copies that must have an event before it is acknowledged, at most `replication_factor`; with fewer brokers left
    /// nothing is acknowledged, and events wait. A topic that asks for fewer is told and refused as above.
    #[schemars(range(min = 1))]
    pub min_insync_replicas: i32,
    /// The user that every client proves to be, by SASL/PLAIN. Empty: none.
    pub sasl_username: String,
    /// That user's password. It crosses the network in the clear: keep it to a network that nobody else reads.
    pub sasl_password: Secret,
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
            replication_factor: 1,
            min_insync_replicas: 1,
            sasl_username: String::new(),
            sasl_password: Secret::default(),
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
        .set("socket.timeout.ms", WRITE_TIMEOUT_MS)
        // Who leads now is asked of a broker that answers, at once, and again soon if none has been elected yet. Connected to
        // what it needs alone, a producer whose only broker is frozen would first have to find another one.
        .set("enable.sparse.connections", "false")
        .set("topic.metadata.refresh.interval.ms", "1000")
        // Else three times that, and a topic is forgotten while the one that is asked is frozen.
        .set("metadata.max.age.ms", "90000")
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

fn reading(config: &Config) -> ClientConfig {
    let mut client = base(config);
    client
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "false")
        // A message is answered with at once; this is how often a quiet broker is asked in vain, which it feels.
        .set("fetch.wait.max.ms", "500")
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
        .set("socket.timeout.ms", ANSWER_TIMEOUT_MS)
        .set("socket.connection.setup.timeout.ms", ANSWER_TIMEOUT_MS)
        .set("topic.metadata.refresh.interval.ms", "30000");
    if !config.sasl_username.is_empty() {
        client
            .set("security.protocol", "sasl_plaintext")
            .set("sasl.mechanism", "PLAIN")
            .set("sasl.username", &config.sasl_username)
            .set("sasl.password", config.sasl_password.expose());
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_client_proves_to_be_the_same_user() {
        let config = Config {
            brokers: "127.0.0.1:1".into(),
            sasl_username: "shop".into(),
            sasl_password: Secret::new("hidden".into()),
            ..Config::default()
        };
        for client in [base(&config), reading(&config), reader_settings(&config)] {
            let given = ["security.protocol", "sasl.username", "sasl.password"];
            let given = given.map(|name| client.get(name));
            assert_eq!(
                given,
                [Some("sasl_plaintext"), Some("shop"), Some("hidden")]
            );
        }
        drop(producer(&config).unwrap());
        drop(group_consumer(&config, "a-group").unwrap());
        assert!(!format!("{config:?}").contains("hidden"));
        assert_eq!(base(&Config::default()).get("security.protocol"), None);
    }
}
