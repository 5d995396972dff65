//! The choice of a broker, a setting and a flag of `up`.

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which broker `up` starts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Broker {
    /// A real Apache Kafka; it needs Java.
    #[default]
    Kafka,
    /// A stand-in inside of `up`, for a machine without Java: events are gone with the process, and a reader that is
    /// more than 5 MiB of a partition behind misses some.
    Mock,
}
