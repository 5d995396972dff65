//! Wires the notifier: database, group member, sink.

use std::sync::Arc;

use chassis::{
    clock::Clock,
    health::Health,
    kafka,
    postgres::{self, StoreError},
    service::{self, Database},
    tasks::Tasks,
};
use rdkafka::error::KafkaError;

use crate::{
    config::Config,
    consumer::{Member, Reading},
    handle::Handler,
    lag, metrics, retention,
    sink::{Sink, Stdout},
    webhook::{self, Dispatcher, InvalidWebhook},
};

/// What the notifier needs from its process.
#[derive(Debug, Clone)]
pub struct Dependencies {
    /// The server that has the notifier's database.
    pub postgres: postgres::Config,
    /// The broker and the topic.
    pub kafka: kafka::Config,
    /// The time.
    pub clock: Clock,
}

/// Why the notifier cannot start. An unreachable database or broker is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database settings make no connection.
    #[error("database: {0}")]
    Postgres(#[from] StoreError),
    /// The broker settings make no consumer.
    #[error("broker: {0}")]
    Kafka(#[from] KafkaError),
    /// The webhook settings describe no webhook.
    #[error(transparent)]
    Webhook(#[from] InvalidWebhook),
}

/// A running notifier. It stops with the tasks it was started in.
#[derive(Debug)]
pub struct Service;

impl Service {
    /// Starts a group member that writes one line an event on standard output.
    ///
    /// # Errors
    /// [`StartError`] when the settings are unusable.
    pub async fn start(
        config: Config,
        dependencies: Dependencies,
        tasks: &Tasks,
        health: &Health,
    ) -> Result<Self, StartError> {
        Self::start_with(Arc::new(Stdout), config, dependencies, tasks, health).await
    }

    /// Starts a group member that delivers to `sink`.
    ///
    /// # Errors
    /// [`StartError`] when the settings are unusable.
    pub async fn start_with(
        sink: Arc<dyn Sink>,
        config: Config,
        dependencies: Dependencies,
        tasks: &Tasks,
        health: &Health,
    ) -> Result<Self, StartError> {
        let opened = Database::open(&dependencies.postgres, &config.database, tasks).await?;
        let database = opened.pool.clone();
        let component = health.component("notifier.postgres");
        service::start_probe(vec![opened], component, None, tasks);
        let clock = dependencies.clock.clone();
        retention::start(database.clone(), clock, config.retention, tasks);
        let consumer = kafka::group_consumer(&dependencies.kafka, &config.group)?;
        metrics::announce();
        let consumer = Arc::new(consumer);
        let (watched, kafka) = (consumer.clone(), dependencies.kafka.clone());
        tasks.spawn("notifier lag", lag::watch(watched, kafka, tasks.token()));
        let webhook = start_webhook(&config.webhook, &database, &dependencies, tasks)?;
        let member = Member {
            consumer,
            handler: Handler {
                database,
                sink,
                clock: dependencies.clock,
                topic: dependencies.kafka.topic,
                webhook,
            },
            config,
            reading: Reading::new(health.component("notifier")),
            token: tasks.token(),
        };
        tasks.spawn("notifier", member.run());
        Ok(Self)
    }
}

/// Starts posting events, if a receiver is named.
fn start_webhook(
    config: &webhook::Config,
    database: &postgres::DatabaseConnection,
    dependencies: &Dependencies,
    tasks: &Tasks,
) -> Result<Option<webhook::Wake>, InvalidWebhook> {
    if !config.is_on() {
        return Ok(None);
    }
    let (clock, topic) = (dependencies.clock.clone(), dependencies.kafka.topic.clone());
    let dispatcher = Dispatcher::new(config.clone(), database.clone(), clock, topic)?;
    let wake = dispatcher.wake();
    tasks.spawn("webhook", dispatcher.run(tasks.token()));
    tasks.spawn(
        "webhook queue",
        webhook::watch(database.clone(), tasks.token()),
    );
    Ok(Some(wake))
}
