//! Settings of the webhook.

use std::time::Duration;

use chassis::config::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where events are posted, and how often that is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The receiver's `http` or `https` URL. Empty: nothing is posted.
    pub url: String,
    /// The key of the signatures: `whsec_` and 24 to 64 bytes in base64. Needed with a URL.
    pub secret: Secret,
    /// How long one request may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub timeout: Duration,
    /// Requests under way at once, of each replica.
    #[schemars(range(min = 1, max = 256))]
    pub in_flight: u32,
    /// Refusals (a redirect, or a 4xx other than 408, 425 and 429) after which an event is parked in `dead_letters`.
    #[schemars(range(min = 1, max = 100))]
    pub refusals: u32,
    /// First pause after a request that failed; it doubles.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub backoff_min: Duration,
    /// The longest pause that the receiver may ask for with `Retry-After`; a longer one counts as this.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::MayBeZero")]
    pub retry_after_max: Duration,
    /// Longest pause between two requests of one event, unless the receiver asks for a longer one. There is no last one while
    /// the receiver is away.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub backoff_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: String::new(),
            secret: Secret::default(),
            timeout: Duration::from_secs(5),
            in_flight: 16,
            refusals: 3,
            retry_after_max: Duration::from_hours(1),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
        }
    }
}

impl Config {
    /// Whether events are posted at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// The pause after this many requests: doubled each time, at most `backoff_max`.
    pub(super) fn pause(&self, attempts: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let pause = self.backoff_min.saturating_mul(doubled);
        pause.min(self.backoff_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let config = Config::default();
        let pauses = [1, 2, 3, 7, u32::MAX].map(|attempts| config.pause(attempts).as_secs());
        assert_eq!(pauses, [1, 2, 4, 60, 60]);
    }
}
