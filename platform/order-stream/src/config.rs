//! Settings of the stream reader.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a process follows the order-event topic. Each field has a default that suits one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Memory for events that all readers share, in bytes. Older events are read from the topic again.
    #[schemars(range(min = 1))]
    pub log_bytes: usize,
    /// Readers that may read old events from the topic at the same time; the others wait for their turn, which is short.
    #[schemars(range(min = 1))]
    pub max_replays: usize,
    /// The most of them that one caller's readers may be.
    #[schemars(range(min = 1))]
    pub max_replays_per_caller: usize,
    /// Longest wait for the broker's answer when it is asked for the stream's end.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub end_timeout: Duration,
    /// Pause between two looks at the topic's bounds; they find new partitions and a replaced topic.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub check_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            log_bytes: 64 * 1024 * 1024,
            max_replays: 16,
            max_replays_per_caller: 4,
            end_timeout: Duration::from_secs(3),
            check_interval: Duration::from_secs(2),
        }
    }
}
