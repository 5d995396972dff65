//! Whose budget pays for the running request.
//!
//! It travels beside the request as a task-local value, because it belongs to the transport and not to the caller: what finds
//! out late how much a request costs can still charge it.

use std::sync::Arc;

use super::{Budget, Charge, RateLimitKey, Spent};

/// A caller's budget.
#[derive(Debug, Clone)]
pub struct Account {
    budget: Arc<Budget>,
    key: RateLimitKey,
}

tokio::task_local! {
    static ACCOUNT: Account;
}

impl Account {
    /// The account of a caller.
    #[must_use]
    pub const fn new(budget: Arc<Budget>, key: RateLimitKey) -> Self {
        Self { budget, key }
    }

    /// The account that pays for the running request; `None` when nobody does.
    #[must_use]
    pub fn current() -> Option<Self> {
        ACCOUNT.try_with(Clone::clone).ok()
    }

    /// Lets it pay for a request.
    ///
    /// # Cancel safety
    /// That of `request`.
    pub async fn pay_for<F: Future>(self, request: F) -> F::Output {
        ACCOUNT.scope(self, request).await
    }

    /// As [`Budget::check`].
    ///
    /// # Errors
    /// [`Spent`].
    pub fn check(&self) -> Result<(), Spent> {
        self.budget.check(self.key.clone())
    }

    /// As [`Budget::charge`].
    ///
    /// # Errors
    /// [`Spent`].
    pub fn charge(&self, cost: u64) -> Result<Charge, Spent> {
        self.budget.charge(self.key.clone(), cost)
    }

    /// As [`Budget::spend`].
    pub fn spend(&self, cost: u64) {
        self.budget.spend(self.key.clone(), cost);
    }
}
