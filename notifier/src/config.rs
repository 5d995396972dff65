//! Settings of the notifier.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::webhook;

/// How the notifier reads and retries. The defaults suit one to three replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Consumer group. Replicas share the partitions of the topic; more replicas than partitions stay idle.
    #[schemars(length(min = 1))]
    pub group: String,
    /// Where a notifier that is a process of its own serves health and metrics.
    pub admin_listen: SocketAddr,
    /// Name of the database on the Postgres server.
    #[schemars(length(min = 1))]
    pub database: String,
    /// Messages taken into one transaction.
    #[schemars(range(min = 1))]
    pub batch: usize,
    /// First pause when database or sink fail; it doubles.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub backoff_min: Duration,
    /// Posts each event to a receiver, beside the line on standard output.
    pub webhook: webhook::Config,
    /// Longest pause while database or sink fail.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub backoff_max: Duration,
    /// How long an effect that a sink has taken and its inbox row are kept. It must be longer than the topic keeps events and
    /// than an operator may send them again: an event that comes again later has a second effect. 0: for ever.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::MayBeZero")]
    pub retention: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            group: "notifier-group".to_owned(),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4104)),
            database: "notifier".to_owned(),
            batch: 256,
            webhook: webhook::Config::default(),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            retention: Duration::from_hours(30 * 24),
        }
    }
}
