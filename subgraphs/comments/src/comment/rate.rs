//! How often one user may write through the public graph: a budget for each, which refills evenly.
//!
//! The count is this process's own. Callers of the compatibility surfaces do not come here: existing clients know no such
//! limit. Source: docs/contracts.md §6.

use std::{num::NonZeroU32, time::Duration};

use chassis::fault::Coded;
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::DashMapStateStore,
};
use schema::{code::ErrorCode, id::UserId};

/// Above this many users, those whose budget is whole again are forgotten.
const SWEEP_ABOVE: usize = 10_000;

/// The budgets of all users.
#[derive(Debug)]
pub(super) struct WriteRate {
    per_minute: NonZeroU32,
    budgets: RateLimiter<UserId, DashMapStateStore<UserId>, DefaultClock>,
}

/// The user wrote too often.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a user may write {per_minute} comments and edits a minute (comments.writes_per_minute); the next may come in {} s",
    .retry_after.as_secs()
)]
pub struct TooManyWrites {
    per_minute: NonZeroU32,
    /// When the next write is taken, in whole seconds.
    retry_after: Duration,
}

impl Coded for TooManyWrites {
    fn code(&self) -> ErrorCode {
        ErrorCode::RateLimited
    }

    fn retry_after(&self) -> Option<Duration> {
        Some(self.retry_after)
    }
}

impl WriteRate {
    /// `per_minute` writes of each user, all of them at once after a quiet minute; 0 counts as 1.
    pub(super) fn new(per_minute: u32) -> Self {
        let per_minute = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
        Self {
            per_minute,
            budgets: RateLimiter::keyed(Quota::per_minute(per_minute)),
        }
    }

    /// Takes one write from the user's budget.
    ///
    /// # Errors
    /// [`TooManyWrites`] when it is spent.
    pub(super) fn admit(&self, user: UserId) -> Result<(), TooManyWrites> {
        if self.budgets.len() > SWEEP_ABOVE {
            self.budgets.retain_recent();
        }
        self.budgets.check_key(&user).map_err(|refused| {
            let wait = refused.wait_time_from(self.budgets.clock().now());
            let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            TooManyWrites {
                per_minute: self.per_minute,
                retry_after: Duration::from_secs(whole.max(1)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_budget_and_is_told_when_to_come_back() {
        let rate = WriteRate::new(3);
        let user = |id: i64| UserId::try_from(id).unwrap();
        for _ in 0..3 {
            assert_eq!(rate.admit(user(1)), Ok(()));
        }
        let refused = rate.admit(user(1)).unwrap_err();
        let wait = refused.retry_after().unwrap().as_secs();
        assert!((1..=20).contains(&wait), "{wait}");
        assert!(refused.to_string().contains("comments.writes_per_minute"));
        assert_eq!(rate.admit(user(2)), Ok(()));
    }
}
