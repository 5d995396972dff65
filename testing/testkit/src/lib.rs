//! What the tests share: a real `PostgreSQL`, a real Kafka, tokens, and a way to wait without sleeping.
//!
//! `make test` starts both services once for all test binaries and passes their addresses in `TEST_POSTGRES_URL` and
//! `TEST_KAFKA_BROKERS`. Without those, the first test of a binary that needs a service starts one for the binary; a
//! watchdog ends it and removes its files when the binary ends. Tests share the servers and nothing else: each takes
//! a database of its own ([`database()`]) and a topic of its own ([`topic`]).

mod collector;
mod database;
mod entity;
mod eventually;
mod freezing_proxy;
mod kafka;
mod patroni;
mod ports;
mod services;
mod standby;
mod statement;
mod tokens;

pub use collector::{Collector, Span, edges, tree};
pub use database::{TestDatabase, database};
pub use dev_services::port::free as free_port;
pub use entity::assert_entity_matches;
pub use eventually::eventually;
pub use freezing_proxy::FreezingProxy;
pub use kafka::{
    OwnKafka, abort_transaction, assigned_partitions, compressed_topic, kafka, topic, unique,
};
pub use patroni::Patroni;
pub use ports::free_offset;
pub use services::{Services, postgres_url};
pub use standby::Replicated;
pub use statement::check_statement;
pub use tokens::TestTokens;
