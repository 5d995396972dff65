//! `up --broker mock`: librdkafka's mock cluster in this process, for a machine without Java.
//!
//! It is volatile: events are lost with the process, and each partition keeps only its newest 5 MiB (or 100,000
//! batches). Only librdkafka's clients can read it. It is used on request only, and `profile = "production"` refuses it.

use std::fmt;

use anyhow::Context as _;
use chassis::kafka::Config;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use schema::event::STOCK_TOPIC;

use crate::output;

/// The mock cluster; it ends when this is dropped.
pub(crate) struct Mock(MockCluster<'static, DefaultProducerContext>);

impl Mock {
    /// Starts it with the topics of order events and of stock, after saying what it is.
    ///
    /// # Errors
    /// When librdkafka refuses.
    pub(crate) fn start(config: &Config) -> anyhow::Result<Self> {
        output::progress(
            "kafka",
            "MOCK BROKER, AS REQUESTED: EVENTS ARE LOST WHEN THIS PROCESS ENDS",
        );
        let cluster = MockCluster::new(1).context("starting the mock broker")?;
        for topic in [&config.topic, &config.beside(STOCK_TOPIC).topic] {
            cluster
                .create_topic(topic, config.partitions, 1)
                .with_context(|| format!("creating {topic} on the mock broker"))?;
        }
        Ok(Self(cluster))
    }

    /// `host:port` for clients; the port is the system's choice.
    pub(crate) fn brokers(&self) -> String {
        self.0.bootstrap_servers()
    }

    /// What it is, for the banner.
    pub(crate) fn note(&self) -> String {
        "MOCK, VOLATILE: no event survives this process; each partition keeps 5 MiB".to_owned()
    }
}

impl fmt::Debug for Mock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mock").field(&self.brokers()).finish()
    }
}
