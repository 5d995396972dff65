//! The logs of events: that of the order events is started by the first graph that has them, and a topic's by its first stream. A
//! graph without either needs no broker.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use chassis::{health::Health, kafka, tasks::Tasks};
use order_stream::{EventStream, OrderStream, TopicEvent, TopicReading};
use parking_lot::Mutex;
use schema::event::STOCK_TOPIC;

/// The logs, and what it takes to start them.
#[derive(Debug)]
pub(crate) struct EventLog {
    started: OnceLock<OrderStream>,
    topics: Mutex<HashMap<Arc<str>, Followed>>,
    config: order_stream::Config,
    kafka: kafka::Config,
    tasks: Tasks,
    health: Health,
}

/// A topic that is followed.
#[derive(Debug)]
struct Followed {
    reading: TopicReading,
    log: EventStream<TopicEvent>,
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

    /// Whether there is a broker to read topics from.
    pub(crate) fn has_broker(&self) -> bool {
        !self.kafka.brokers.trim().is_empty()
    }

    /// The running log of the topic `name` beside that of the order events. One whose messages are to be read in another way than
    /// so far is followed anew; the log before it ends with its last stream.
    pub(crate) fn topic(&self, name: &Arc<str>, reading: &TopicReading) -> EventStream<TopicEvent> {
        let mut topics = self.topics.lock();
        let followed = topics.get(name).filter(|it| it.reading == *reading);
        if let Some(followed) = followed {
            return followed.log.clone();
        }
        let kafka = match &**name {
            // The shop's own topics stand beside that of its order events; others are what they are called.
            STOCK_TOPIC => self.kafka.beside(name),
            _ => kafka::Config {
                topic: name.to_string(),
                ..self.kafka.clone()
            },
        };
        // Not the router's health: it was ready before the first of these streams, and serves the others without them.
        let health = Health::new();
        let config = self.config.clone();
        let log = EventStream::reading(reading.clone(), config, kafka, &self.tasks, &health);
        let followed = Followed {
            reading: reading.clone(),
            log: log.clone(),
        };
        topics.insert(Arc::clone(name), followed);
        log
    }
}
