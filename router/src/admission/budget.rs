//! The cost budget of each caller: a fixed window, refilled at once when it ends.
//!
//! Invariant: an operation that is over the budget is refused before anything of it runs, and is not charged.

use std::{collections::HashMap, sync::LazyLock, time::Duration};

use chassis::clock::Clock;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use prometheus::{IntCounter, register_int_counter};
use schema::code::ErrorCode;

use super::{charge::Charge, key::RateLimitKey};
use crate::{config, error::RequestError};

/// The member of a refusal's `extensions` with the seconds until a retry can succeed.
pub(crate) const RETRY_AFTER_SECONDS: &str = "retryAfterSeconds";

/// The windows of all callers.
#[derive(Debug)]
pub(crate) struct Budget {
    config: config::RateLimit,
    clock: Clock,
    windows: Mutex<HashMap<RateLimitKey, Window>>,
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

/// Above this many windows, those that have ended are dropped.
const SWEEP_ABOVE: usize = 10_000;

impl Budget {
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
    pub(crate) fn charge(&self, key: RateLimitKey, cost: u64) -> Result<Charge, RequestError> {
        let now = self.clock.now();
        let mut windows = self.windows.lock();
        if windows.len() > SWEEP_ABOVE {
            windows.retain(|_, window| window.ends_at > now);
        }
        let fresh = Window {
            ends_at: now + self.config.window,
            spent: 0,
        };
        let window = windows.entry(key).or_insert(fresh);
        if window.ends_at <= now {
            *window = fresh;
        }
        let limit = self.config.budget;
        let spent = window.spent.saturating_add(cost);
        if self.config.enabled && spent > limit {
            let remaining = limit.saturating_sub(window.spent);
            return Err(self.refuse(cost, remaining, window.ends_at - now));
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

    fn refuse(&self, cost: u64, remaining: u64, left: chrono::TimeDelta) -> RequestError {
        RATE_LIMITED.inc();
        let limit = self.config.budget;
        let message = format!(
            "the operation costs {cost}, and {remaining} of the budget of {limit} are left in this window"
        );
        let retry_after = whole_seconds(left.to_std().unwrap_or_default());
        RequestError::new(ErrorCode::RateLimited, message)
            .with("limit", "rate_limit.budget")
            .with(RETRY_AFTER_SECONDS, retry_after)
    }
}

/// Rounds up, so that a client that waits this long is not refused again.
pub(crate) fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use schema::id::UserId;

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
        let limiter = Budget::new(config, clock.clone());
        let user = |id: i64| RateLimitKey::User(UserId::try_from(id).unwrap());
        let me = || user(1);
        assert_eq!(limiter.charge(me(), 7).unwrap().remaining, 3);
        clock.advance(Duration::from_millis(500));
        let refused = limiter.charge(me(), 4).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::RateLimited);
        assert_eq!(
            refused.errors()[0].extensions[RETRY_AFTER_SECONDS],
            60,
            "rounded up"
        );
        assert_eq!(limiter.charge(me(), 3).unwrap().remaining, 0);
        assert_eq!(
            limiter.charge(user(2), 10).unwrap().remaining,
            0,
            "a budget each"
        );
        clock.advance(window);
        assert_eq!(limiter.charge(me(), 10).unwrap().remaining, 0);
    }
}
