//! The cost budget of each caller: a fixed window, refilled at once when it ends.
//!
//! Invariant: an operation that is over the budget is refused before anything of it runs, and is not charged;
//! one that is refused for another reason is charged what finding that out took.

use std::{sync::LazyLock, time::Duration};

use chassis::clock::Clock;
use prometheus::{IntCounter, register_int_counter};
use schema::code::ErrorCode;

use super::{charge::Charge, key::RateLimitKey, windows::Windows};
use crate::{
    config,
    error::{RETRY_AFTER_SECONDS, RequestError},
};

/// The windows of all callers.
#[derive(Debug)]
pub(crate) struct Budget {
    config: config::RateLimit,
    clock: Clock,
    windows: Windows,
}

static RATE_LIMITED: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_router_rate_limited_total",
        "Operations refused because their caller's budget was spent."
    )
    .expect("the name is registered once")
});

impl Budget {
    pub(crate) fn new(config: config::RateLimit, clock: Clock) -> Self {
        LazyLock::force(&RATE_LIMITED);
        Self {
            windows: Windows::new(config.window),
            config,
            clock,
        }
    }

    /// Charges one operation.
    ///
    /// # Errors
    /// `RATE_LIMITED` with `retryAfterSeconds` when the window's budget does not cover it.
    pub(crate) fn charge(&self, key: RateLimitKey, cost: u64) -> Result<Charge, RequestError> {
        let now = self.clock.now();
        let limit = self.config.budget;
        self.windows.with(key, now, |window| {
            let spent = window.spent.saturating_add(cost);
            if self.config.enabled && spent > limit {
                let remaining = limit.saturating_sub(window.spent);
                return Err(self.refuse(cost, remaining, window.ends_at - now));
            }
            window.spent = spent;
            Ok(Charge {
                cost,
                limit,
                remaining: limit.saturating_sub(spent),
                reset_at: window.ends_at,
            })
        })
    }

    /// Whether the caller has anything left, before work is done to find out what its operation costs.
    ///
    /// # Errors
    /// `RATE_LIMITED` as [`Budget::charge`].
    pub(crate) fn check(&self, key: RateLimitKey) -> Result<(), RequestError> {
        let now = self.clock.now();
        let limit = self.config.budget;
        self.windows.with(key, now, |window| {
            if self.config.enabled && window.spent >= limit {
                return Err(self.refuse(1, 0, window.ends_at - now));
            }
            Ok(())
        })
    }

    /// Charges what was spent on a request that was refused, as far as the caller has anything left.
    pub(crate) fn spend(&self, key: RateLimitKey, cost: u64) {
        let limit = self.config.budget;
        self.windows.with(key, self.clock.now(), |window| {
            window.spent = window
                .spent
                .saturating_add(cost)
                .min(limit.max(window.spent));
        });
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
    use chrono::DateTime;
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

    #[test]
    fn what_is_refused_is_charged_until_nothing_is_left() {
        let config = config::RateLimit {
            enabled: true,
            budget: 10,
            window: Duration::from_secs(60),
        };
        let limiter = Budget::new(config, Clock::manual(DateTime::UNIX_EPOCH));
        let me = || RateLimitKey::Address(None);
        for _ in 0..4 {
            assert!(limiter.check(me()).is_ok());
            limiter.spend(me(), 3);
        }
        let refused = limiter.check(me()).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::RateLimited);
        assert!(limiter.charge(me(), 1).is_err());
    }
}
