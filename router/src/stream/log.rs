//! The log of order events, started by the first graph that has them: a graph without them needs no broker.

use std::sync::OnceLock;

use chassis::{health::Health, kafka, tasks::Tasks};
use order_stream::OrderStream;

/// The log, and what it takes to start it.
#[derive(Debug)]
pub(crate) struct EventLog {
    started: OnceLock<OrderStream>,
    config: order_stream::Config,
    kafka: kafka::Config,
    tasks: Tasks,
    health: Health,
}

impl EventLog {
    /// A log that nobody reads yet.
    pub(crate) const fn new(
        config: order_stream::Config,
        kafka: kafka::Config,
        tasks: Tasks,
        health: Health,
    ) -> Self {
        Self {
            started: OnceLock::new(),
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
}
