//! Settings of the notifier.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the notifier reads and retries. The defaults suit one to three replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Consumer group. Replicas share the partitions of the topic; more replicas than partitions stay idle.
    pub group: String,
    /// Name of the database on the Postgres server.
    pub database: String,
    /// Messages taken into one transaction.
    pub batch: usize,
    /// First pause when database or sink fail; it doubles.
    #[serde(with = "humantime_serde")]
    pub backoff_min: Duration,
    /// Longest pause while database or sink fail.
    #[serde(with = "humantime_serde")]
    pub backoff_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            group: "notifier-group".to_owned(),
            database: "notifier".to_owned(),
            batch: 256,
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
        }
    }
}
