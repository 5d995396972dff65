//! The cost budget of each caller: a fixed window, refilled at once when it ends.
//!
//! Invariant: an operation that is over the budget is refused before anything of it runs, and is not charged.

use std::{collections::HashMap, sync::LazyLock, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use chassis::clock::Clock;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use prometheus::{IntCounter, register_int_counter};
use schema::code::ErrorCode;

use crate::{config, error::RequestError, stream::Charge};

/// Whose budget it is. Callers without a token share one by address, so that one cannot starve the others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Payer {
    User(i64),
    Service(String),
    Address(Option<std::net::IpAddr>),
}

/// The windows of all callers.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    config: config::RateLimit,
    clock: Clock,
    windows: Mutex<HashMap<Payer, Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    ends_at: DateTime<Utc>,
    spent: u64,
}

static RATE_LIMITED: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_router_rate_limited_total",
        "Operations refused because their caller's budget was spent."
    )
    .expect("the name is registered once")
});

/// Windows kept before those that have ended are thrown away.
const SWEEP_ABOVE: usize = 10_000;

impl RateLimiter {
    pub(crate) fn new(config: config::RateLimit, clock: Clock) -> Self {
        LazyLock::force(&RATE_LIMITED);
        Self {
            config,
            clock,
            windows: Mutex::default(),
        }
    }

    /// Charges one operation.
    ///
    /// # Errors
    /// `RATE_LIMITED` with `retryAfterSeconds` when the window's budget does not cover it.
    pub(crate) fn charge(&self, payer: Payer, cost: u64) -> Result<Charge, RequestError> {
        let now = self.clock.now();
        let mut windows = self.windows.lock();
        if windows.len() > SWEEP_ABOVE {
            windows.retain(|_, window| window.ends_at > now);
        }
        let fresh = Window {
            ends_at: now + self.config.window,
            spent: 0,
        };
        let window = windows.entry(payer).or_insert(fresh);
        if window.ends_at <= now {
            *window = fresh;
        }
        let limit = self.config.budget;
        let spent = window.spent.saturating_add(cost);
        if self.config.enabled && spent > limit {
            return Err(self.refuse(
                cost,
                limit.saturating_sub(window.spent),
                window.ends_at - now,
            ));
        }
        window.spent = spent;
        let remaining = limit.saturating_sub(spent);
        Ok(Charge {
            cost,
            limit,
            remaining,
            reset_at: window.ends_at,
        })
    }

    /// The headers that tell a client where it stands.
    pub(crate) fn headers(&self, charge: &Charge) -> [(HeaderName, HeaderValue); 3] {
        let left = (charge.reset_at - self.clock.now())
            .to_std()
            .unwrap_or_default();
        [
            (
                HeaderName::from_static("ratelimit-limit"),
                HeaderValue::from(charge.limit),
            ),
            (
                HeaderName::from_static("ratelimit-remaining"),
                HeaderValue::from(charge.remaining),
            ),
            (
                HeaderName::from_static("ratelimit-reset"),
                HeaderValue::from(whole_seconds(left)),
            ),
        ]
    }

    fn refuse(&self, cost: u64, remaining: u64, left: chrono::TimeDelta) -> RequestError {
        RATE_LIMITED.inc();
        let limit = self.config.budget;
        let message = format!(
            "the operation costs {cost}, and {remaining} of the budget of {limit} are left in this window"
        );
        let refused = RequestError::new(ErrorCode::RateLimited, message);
        let refused = refused.with("limit", "rate_limit.budget");
        refused.with(
            RETRY_AFTER,
            whole_seconds(left.to_std().unwrap_or_default()),
        )
    }
}

const RETRY_AFTER: &str = "retryAfterSeconds";

/// Copies a refusal's `retryAfterSeconds` to the header `Retry-After`.
pub(crate) fn retry_after(error: &RequestError, headers: &mut HeaderMap) {
    let seconds = error
        .errors()
        .first()
        .and_then(|first| first.extensions.get(RETRY_AFTER));
    if let Some(seconds) = seconds.and_then(serde_json::Value::as_u64) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// Rounds up, so that a client that waits this long is not refused again.
fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_refills_and_a_refusal_costs_nothing() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let window = Duration::from_secs(60);
        let config = config::RateLimit {
            enabled: true,
            budget: 10,
            window,
        };
        let limiter = RateLimiter::new(config, clock.clone());
        let me = || Payer::User(1);
        assert_eq!(limiter.charge(me(), 7).unwrap().remaining, 3);
        clock.advance(Duration::from_millis(500));
        let refused = limiter.charge(me(), 4).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::RateLimited);
        assert_eq!(
            refused.errors()[0].extensions[RETRY_AFTER],
            60,
            "rounded up"
        );
        assert_eq!(limiter.charge(me(), 3).unwrap().remaining, 0);
        assert_eq!(
            limiter.charge(Payer::User(2), 10).unwrap().remaining,
            0,
            "a budget each"
        );
        clock.advance(window);
        assert_eq!(limiter.charge(me(), 10).unwrap().remaining, 0);
    }
}
