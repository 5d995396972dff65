//! How subgraphs are called, as settings.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How subgraphs are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FetchConfig {
    /// The longest that one fetch may take; the request's own deadline may end it earlier.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration", "x-above-zero" = true))]
    pub timeout: Duration,
    /// The longest that connecting may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration", "x-above-zero" = true))]
    pub connect_timeout: Duration,
    /// How long an unused connection is kept: less than the subgraphs' `drain_notice`, so that no request is sent on a
    /// connection that is being closed.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration", "x-above-zero" = true))]
    pub idle_timeout: Duration,
    /// HTTP/2 without negotiation, for subgraphs that speak it.
    pub http2_prior_knowledge: bool,
    /// Sends a fetch a second time where that can do no harm: nobody was reached, or the connection broke under a query.
    pub retry_enabled: bool,
    /// Sends queries that are identical and asked at once a single time: same text and variables, and the same of every header
    /// that the caller gave. Never of a subgraph that `response_headers` are passed on of.
    pub coalescing_enabled: bool,
    /// The longest answer that is read.
    #[schemars(range(min = 1))]
    pub max_response_bytes: usize,
    /// How long a subscription that a subgraph lost is opened again and again before the streams on it end.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration", "x-above-zero" = true))]
    pub resubscribe_timeout: Duration,
    /// Different subscriptions that may be open at one subgraph; identical ones are one.
    #[schemars(range(min = 1))]
    pub subscriptions_max: usize,
    /// Failures among the last 20 fetches that open the breaker of a subgraph, if they are half of the fetches or more; 0
    /// leaves it out.
    pub breaker_failures: u32,
    /// A fetch that takes longer than this counts as a failure, also when its answer comes after all, unless others come
    /// back quickly meanwhile.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration", "x-above-zero" = true))]
    pub breaker_slow: Duration,
    /// How long an open breaker refuses before it tries again.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration", "x-above-zero" = true))]
    pub breaker_open: Duration,
    /// How long the first try may take; each further one twice as long, up to `breaker_slow`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String", extend("format" = "duration", "x-above-zero" = true))]
    pub breaker_probe: Duration,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_millis(250),
            http2_prior_knowledge: false,
            retry_enabled: true,
            coalescing_enabled: true,
            max_response_bytes: 16 * 1024 * 1024,
            resubscribe_timeout: Duration::from_mins(1),
            subscriptions_max: 1_000,
            breaker_failures: 5,
            breaker_slow: Duration::from_secs(2),
            breaker_open: Duration::from_secs(1),
            breaker_probe: Duration::from_millis(300),
        }
    }
}
