//! Topics: made as strong as the settings ask, and looked at whether they are.
//!
//! A topic keeps the strength that it was made with, whatever the settings say later; so whoever relies on it looks.

use std::{fmt::Write as _, time::Duration};

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode as Code},
    metadata::MetadataTopic,
};

use super::{Config, admin};

/// How long the cluster may take to make a topic.
const MAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may take to tell what it has.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// The setting of a topic that says how many copies an acknowledgement takes.
const MIN_INSYNC: &str = "min.insync.replicas";

/// Why a topic was not made.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// More copies are asked for than there are brokers.
    #[error(
        "kafka.replication_factor asks for {asked} copies of the topic {topic}, and the cluster has {brokers} broker{}: \
         start more, or set kafka.replication_factor to {brokers}", if *.brokers == 1 { "" } else { "s" }
    )]
    TooFewBrokers {
        /// The topic.
        topic: String,
        /// The copies asked for.
        asked: i32,
        /// The brokers that the cluster has now.
        brokers: usize,
    },
    /// The cluster does not answer, or refuses.
    #[error(transparent)]
    Broker(#[from] KafkaError),
}

/// What makes a topic weaker than the settings ask: events that it acknowledged are lost with fewer brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weakness {
    topic: String,
    /// What it has and what is asked.
    replication: (usize, usize),
    min_insync: (usize, usize),
    /// The way out, as commands of Kafka's own tools.
    mend: String,
}

impl Weakness {
    /// The weakness and its mending, in one line.
    #[must_use]
    pub fn told(&self) -> String {
        let mut told = format!("the topic {}", self.topic);
        let (has, asked) = self.replication;
        if has < asked {
            write!(
                told,
                " has {has} of {asked} copies (kafka.replication_factor)"
            )
            .expect("writing to a string cannot fail");
        }
        let (has_insync, asked_insync) = self.min_insync;
        if has_insync < asked_insync {
            let and = if has < asked { " and" } else { "" };
            write!(told, "{and} has {MIN_INSYNC} {has_insync} instead of {asked_insync} (kafka.min_insync_replicas)")
                .expect("writing to a string cannot fail");
        }
        let mend = &self.mend;
        told + ": acknowledged events may be lost with a broker; mend it with " + mend
    }
}

/// Creates the topic unless it exists, with as many copies as the settings ask.
///
/// # Errors
/// [`TopicError::TooFewBrokers`]; and when the cluster is out of reach or refuses.
pub async fn ensure_topic(config: &Config) -> Result<(), TopicError> {
    let replication = TopicReplication::Fixed(config.replication_factor);
    let insync = config.min_insync_replicas.to_string();
    let mut topic = NewTopic::new(&config.topic, config.partitions, replication);
    if config.min_insync_replicas > 1 {
        // Else the cluster's own default, which may ask for more.
        topic = topic.set(MIN_INSYNC, &insync);
    }
    let options = AdminOptions::new()
        .request_timeout(Some(MAKE_TIMEOUT + LOOK_TIMEOUT))
        .operation_timeout(Some(MAKE_TIMEOUT));
    let client = admin(config)?;
    for result in client.create_topics(&[topic], &options).await? {
        match result {
            Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
            Err((topic, Code::InvalidReplicationFactor)) => {
                return Err(TopicError::TooFewBrokers {
                    topic,
                    asked: config.replication_factor,
                    brokers: brokers(config).await?,
                });
            }
            Err((_, code)) => return Err(KafkaError::AdminOp(code).into()),
        }
    }
    Ok(())
}

/// How many brokers the cluster has now.
///
/// # Errors
/// When none answers.
pub async fn brokers(config: &Config) -> Result<usize, KafkaError> {
    let client = admin(config)?;
    blocking(move || {
        let metadata = client.inner().fetch_metadata(None, LOOK_TIMEOUT)?;
        Ok(metadata.brokers().len())
    })
    .await
}

/// What makes the topic weaker than the settings ask, if anything does. Where they ask for one copy, nothing is looked at.
///
/// # Errors
/// When the cluster does not answer, and when there is no such topic.
pub async fn weakness(config: &Config) -> Result<Option<Weakness>, KafkaError> {
    let asked = (
        count(config.replication_factor),
        count(config.min_insync_replicas),
    );
    if asked == (1, 1) {
        return Ok(None);
    }
    let client = admin(config)?;
    let min_insync = min_insync(&client, &config.topic).await?;
    let named = config.clone();
    blocking(move || {
        let metadata = client
            .inner()
            .fetch_metadata(Some(&named.topic), LOOK_TIMEOUT)?;
        let found = metadata.topics().iter().find(|it| it.name() == named.topic);
        let topic = found.ok_or(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition))?;
        if let Some(code) = topic.error() {
            return Err(KafkaError::MetadataFetch(code.into()));
        }
        let copies = topic.partitions().iter().map(|it| it.replicas().len());
        let replication = copies.min().unwrap_or_default();
        if replication >= asked.0 && min_insync >= asked.1 {
            return Ok(None);
        }
        let brokers: Vec<i32> = metadata.brokers().iter().map(|it| it.id()).collect();
        let mut mend = Vec::new();
        if replication < asked.0 {
            mend.push(mend_replication(&named, topic, &brokers));
        }
        if min_insync < asked.1 {
            mend.push(mend_min_insync(&named));
        }
        Ok(Some(Weakness {
            replication: (replication, asked.0),
            min_insync: (min_insync, asked.1),
            mend: mend.join("; and "),
            topic: named.topic,
        }))
    })
    .await
}

/// The topic's `min.insync.replicas`, its own or its cluster's.
async fn min_insync(
    client: &AdminClient<DefaultClientContext>,
    topic: &str,
) -> Result<usize, KafkaError> {
    let options = AdminOptions::new().request_timeout(Some(LOOK_TIMEOUT));
    let asked = [ResourceSpecifier::Topic(topic)];
    let described = client.describe_configs(&asked, &options).await?;
    let described = described.into_iter().next();
    let described = described.ok_or(KafkaError::AdminOp(Code::UnknownTopicOrPartition))?;
    let described = described.map_err(KafkaError::AdminOp)?;
    let value = described.get(MIN_INSYNC).and_then(|it| it.value.as_ref());
    Ok(value.and_then(|it| it.parse().ok()).unwrap_or(1))
}

/// The move that adds the missing copies, on the brokers that have none of the partition yet.
fn mend_replication(config: &Config, topic: &MetadataTopic, brokers: &[i32]) -> String {
    let asked = count(config.replication_factor);
    if brokers.len() < asked {
        return format!(
            "more brokers ({} of {asked} are there), or a lower kafka.replication_factor",
            brokers.len()
        );
    }
    let partitions: Vec<String> = topic
        .partitions()
        .iter()
        .map(|partition| {
            let others = brokers
                .iter()
                .filter(|id| !partition.replicas().contains(id));
            let replicas = partition.replicas().iter().chain(others).take(asked);
            let replicas: Vec<String> = replicas.map(ToString::to_string).collect();
            format!(
                r#"{{"topic":"{}","partition":{},"replicas":[{}]}}"#,
                config.topic,
                partition.id(),
                replicas.join(",")
            )
        })
        .collect();
    format!(
        r#"echo '{{"version":1,"partitions":[{}]}}' > copies.json && kafka-reassign-partitions.sh --bootstrap-server {} --reassignment-json-file copies.json --execute"#,
        partitions.join(","),
        config.brokers
    )
}

fn mend_min_insync(config: &Config) -> String {
    format!(
        "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {} --add-config {MIN_INSYNC}={}",
        config.brokers, config.topic, config.min_insync_replicas
    )
}

/// librdkafka's questions for metadata block.
async fn blocking<T: Send + 'static>(
    asked: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, KafkaError> {
    tokio::task::spawn_blocking(asked)
        .await
        .unwrap_or(Err(KafkaError::Canceled))
}

/// A setting that is at least 1.
fn count(setting: i32) -> usize {
    usize::try_from(setting).unwrap_or(1)
}
