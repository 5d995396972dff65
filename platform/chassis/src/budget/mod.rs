//! What each caller may spend: cost in a window of time, which is refilled at once when it ends.
//!
//! Invariant: a request that is over the budget is refused before anything of it runs, and is not charged; one that is
//! refused for another reason is charged what finding that out took.
//! `key` says who pays, `address` where a request comes from; `account` lets the running request pay; `windows` keeps the
//! counts. Start reading at [`Budget::charge`].

mod account;
mod address;
mod config;
mod key;
mod windows;

use std::{net::IpAddr, sync::LazyLock, time::Duration};

use chrono::{DateTime, Utc};
use prometheus::{IntCounterVec, register_int_counter_vec};
use schema::code::ErrorCode;

use self::windows::Windows;
pub use self::{
    account::Account,
    address::{behind_proxies, peer},
    config::Config,
    key::RateLimitKey,
};
use crate::{clock::Clock, fault::Coded};

static REFUSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_rate_limited_total",
        "Requests refused because their caller's budget was spent, by door.",
        &["door"]
    )
    .expect("the name is registered once")
});

/// The budgets of all callers of one door.
#[derive(Debug)]
pub struct Budget {
    door: &'static str,
    setting: &'static str,
    config: Config,
    clock: Clock,
    windows: Windows,
}

/// What one request cost and what its caller has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The request's cost.
    pub cost: u64,
    /// The caller's budget in one window.
    pub limit: u64,
    /// What is left of it.
    pub remaining: u64,
    /// When the next window starts.
    pub reset_at: DateTime<Utc>,
}

/// The caller has too little left; nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it costs {cost}, and {remaining} of the budget of {limit} are left in this window ({setting}.budget); the next begins in \
     {} s",
    .retry_after.as_secs()
)]
pub struct Spent {
    /// What was asked for.
    pub cost: u64,
    /// What is left in this window.
    pub remaining: u64,
    /// The caller's budget in one window.
    pub limit: u64,
    /// The group of settings that has the budget.
    pub setting: &'static str,
    /// When the next window begins, in whole seconds: who waits this long is not refused again.
    pub retry_after: Duration,
}

impl Coded for Spent {
    fn code(&self) -> ErrorCode {
        ErrorCode::RateLimited
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(self.retry_after)
    }
}

impl Budget {
    /// Full budgets; `door` is the label of their metric and `setting` the group of settings that has them.
    #[must_use]
    pub fn new(door: &'static str, setting: &'static str, config: Config, clock: Clock) -> Self {
        REFUSED.with_label_values(&[door]).inc_by(0);
        Self {
            door,
            setting,
            windows: Windows::new(config.window),
            config,
            clock,
        }
    }

    /// What a caller may spend in one window.
    #[must_use]
    pub fn limit_of(&self, key: &RateLimitKey) -> u64 {
        match key {
            RateLimitKey::Address(Some(address)) if is_here(*address) => {
                self.config.loopback_budget
            }
            RateLimitKey::Address(_) | RateLimitKey::User(_) | RateLimitKey::Service(_) => {
                self.config.budget
            }
        }
    }

    /// Charges one request.
    ///
    /// # Errors
    /// [`Spent`] when the window's budget does not cover it.
    pub fn charge(&self, key: RateLimitKey, cost: u64) -> Result<Charge, Spent> {
        let now = self.clock.now();
        let limit = self.limit_of(&key);
        self.windows.with(key, now, |window| {
            let spent = window.spent.saturating_add(cost);
            if self.config.enabled && spent > limit {
                let remaining = limit.saturating_sub(window.spent);
                return Err(self.refuse(cost, remaining, limit, window.ends_at - now));
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

    /// Whether the caller has anything left, before work is done to find out what its request costs.
    ///
    /// # Errors
    /// [`Spent`] as [`Budget::charge`].
    pub fn check(&self, key: RateLimitKey) -> Result<(), Spent> {
        let now = self.clock.now();
        let limit = self.limit_of(&key);
        self.windows.with(key, now, |window| {
            if self.config.enabled && window.spent >= limit {
                return Err(self.refuse(1, 0, limit, window.ends_at - now));
            }
            Ok(())
        })
    }

    /// Charges what was spent on a request that was refused, or turned out to cost more than it seemed, as far as the caller
    /// has anything left.
    pub fn spend(&self, key: RateLimitKey, cost: u64) {
        let limit = self.limit_of(&key);
        self.windows.with(key, self.clock.now(), |window| {
            window.spent = window
                .spent
                .saturating_add(cost)
                .min(limit.max(window.spent));
        });
    }

    fn refuse(&self, cost: u64, remaining: u64, limit: u64, left: chrono::TimeDelta) -> Spent {
        REFUSED.with_label_values(&[self.door]).inc();
        let seconds = whole_seconds(left.to_std().unwrap_or_default());
        Spent {
            cost,
            remaining,
            limit,
            setting: self.setting,
            retry_after: Duration::from_secs(seconds),
        }
    }
}

fn is_here(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Rounds up, so that a client that waits this long is not refused again.
#[must_use]
pub fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use schema::id::UserId;

    use super::*;

    fn budget(clock: &Clock) -> Budget {
        let config = Config {
            budget: 10,
            loopback_budget: 100,
            ..Config::default()
        };
        Budget::new("test", "test.rate_limit", config, clock.clone())
    }

    fn user(id: i64) -> RateLimitKey {
        RateLimitKey::User(UserId::try_from(id).unwrap())
    }

    /// Seen red with a refusal that is charged.
    #[test]
    fn a_window_refills_and_a_refusal_costs_nothing() {
        let clock = Clock::manual(DateTime::UNIX_EPOCH);
        let budget = budget(&clock);
        assert_eq!(budget.charge(user(1), 7).unwrap().remaining, 3);
        clock.advance(Duration::from_millis(500));
        let refused = budget.charge(user(1), 4).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::RateLimited);
        assert_eq!(refused.retry_after, Duration::from_secs(60), "rounded up");
        assert_eq!(budget.charge(user(1), 3).unwrap().remaining, 0);
        let other = budget.charge(user(2), 10).unwrap();
        assert_eq!(other.remaining, 0, "a budget each");
        clock.advance(Duration::from_mins(1));
        assert_eq!(budget.charge(user(1), 10).unwrap().remaining, 0);
    }

    /// Seen red with a check that lets in who has nothing left.
    #[test]
    fn what_is_refused_is_charged_until_nothing_is_left() {
        let budget = budget(&Clock::manual(DateTime::UNIX_EPOCH));
        let nobody = || RateLimitKey::Address(None);
        for _ in 0..4 {
            assert!(budget.check(nobody()).is_ok());
            budget.spend(nobody(), 3);
        }
        assert_eq!(budget.check(nobody()).unwrap_err().limit, 10);
        assert!(budget.charge(nobody(), 1).is_err());
    }

    /// What runs on this machine calls for many users.
    #[test]
    fn an_address_of_this_machine_has_a_budget_of_its_own() {
        let budget = budget(&Clock::manual(DateTime::UNIX_EPOCH));
        let at = |address: &str| RateLimitKey::address(Some(address.parse().unwrap()));
        for here in ["127.0.0.1", "::ffff:127.0.0.2"] {
            assert_eq!(budget.charge(at(here), 100).unwrap().limit, 100);
            assert!(budget.charge(at(here), 1).is_err());
        }
        assert_eq!(budget.limit_of(&at("192.0.2.1")), 10);
        assert_eq!(budget.limit_of(&user(1)), 10);
    }
}
