//! The logs of events: that of the order events is started by the first graph that has them, and a topic's by its first stream. A
//! graph without either needs no broker.

use std::{collections::HashMap, sync::OnceLock};

use chassis::{health::Health, kafka, tasks::Tasks};
use order_stream::{EventStream, OrderStream, TopicEvent};
use parking_lot::Mutex;

/// The logs, and what it takes to start them.
#[derive(Debug)]
pub(crate) struct EventLog {
    started: OnceLock<OrderStream>,
    topics: Mutex<HashMap<&'static str, EventStream<TopicEvent>>>,
    config: order_stream::Config,
    kafka: kafka::Config,
    tasks: Tasks,
    health: Health,
}

impl EventLog {
    /// Logs that nobody reads yet.
    pub(crate) fn new(
        config: order_stream::Config,
        kafka: kafka::Config,
        tasks: Tasks,
        health: Health,
    ) -> Self {
        Self {
            started: OnceLock::new(),
            topics: Mutex::default(),
            config,
            kafka,
            tasks,
            health,
        }
    }

    /// What it runs as part of.
    pub(crate) const fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// The log, if it has been started.
    pub(crate) fn running(&self) -> Option<&OrderStream> {
        self.started.get()
    }

    /// The running log.
    pub(crate) fn get(&self) -> &OrderStream {
        self.started.get_or_init(|| {
            let (config, kafka) = (self.config.clone(), self.kafka.clone());
            OrderStream::start(config, kafka, &self.tasks, &self.health)
        })
    }

    /// The running log of the topic `name` beside that of the order events.
    pub(crate) fn topic(&self, name: &'static str) -> EventStream<TopicEvent> {
        let mut topics = self.topics.lock();
        let running = topics.entry(name).or_insert_with(|| {
            let (config, kafka) = (self.config.clone(), self.kafka.beside(name));
            // Not the router's health: it was ready before the first of these streams, and serves the others without them.
            EventStream::start(config, kafka, &self.tasks, &Health::new())
        });
        running.clone()
    }
}
