//! The settings of an admission.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::priority::Priority;

/// How many requests are worked on at once, and how long the others may wait for a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Refuses what finds no place in time; the requests are counted either way.
    pub enabled: bool,
    /// The least places; the limit falls to it while requests are slow.
    #[schemars(range(min = 1))]
    pub places_min: usize,
    /// The most places; the limit rises to it while requests are as fast as ever.
    #[schemars(range(min = 1))]
    pub places_max: usize,
    /// Requests of one class that may wait for a place.
    #[schemars(range(min = 1))]
    pub queue_max: usize,
    /// Streams that may wait to be opened.
    #[schemars(range(min = 1))]
    pub resume_queue_max: usize,
    /// How long a request may wait while more and more come than can be served.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub wait: Duration,
    /// The same of a payment or a checkout.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub payment_wait: Duration,
    /// The same of a stream that opens or resumes.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub resume_wait: Duration,
    /// How long the requests of a burst may wait: a queue is a burst when nobody had to wait this long ago, and nobody had to
    /// be refused for as long.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub burst_wait: Duration,
    /// A latency that is never a sign of overload, whatever it was at rest.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub calm_latency: Duration,
    /// How many times its latency at rest a request may take before the limit falls.
    #[schemars(range(min = 1.0))]
    pub tolerance: f64,
    /// How long a request may hold its place; one that takes longer waits for something and does not work.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub place_time: Duration,
}

impl Config {
    /// How long one of the class may wait while more comes than can be served.
    pub(super) const fn standing_wait(&self, class: Priority) -> Duration {
        match class {
            Priority::Payment => self.payment_wait,
            Priority::Resume => self.resume_wait,
            Priority::Mutation | Priority::Read | Priority::Anonymous => self.wait,
        }
    }

    /// How long the oldest of the class comes first: half of what it may wait, so that a queue in which all are served in
    /// time keeps its order. Streams always do, for they wait.
    pub(super) fn turn(&self, class: Priority) -> Duration {
        match class {
            Priority::Resume => Duration::MAX,
            _ => self.standing_wait(class) / 2,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            places_min: 8,
            places_max: 256,
            queue_max: 1_024,
            resume_queue_max: 20_000,
            wait: Duration::from_millis(100),
            payment_wait: Duration::from_millis(300),
            resume_wait: Duration::from_secs(30),
            burst_wait: Duration::from_secs(1),
            calm_latency: Duration::from_millis(20),
            tolerance: 2.0,
            place_time: Duration::from_millis(250),
        }
    }
}
