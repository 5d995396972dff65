//! The budgets of GraphQL's callers, as settings and refusals of this process.

use std::sync::LazyLock;

use chassis::{
    budget::{self, Budget, Spent},
    clock::Clock,
};
use prometheus::{IntCounter, register_int_counter};
use schema::code::ErrorCode;

use crate::{
    config,
    error::{RETRY_AFTER_SECONDS, RequestError},
};

static RATE_LIMITED: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_router_rate_limited_total",
        "Operations refused because their caller's budget was spent."
    )
    .expect("the name is registered once")
});

/// Full budgets of all callers; one address has as much as one user, wherever it is.
pub(crate) fn budget(config: &config::RateLimit, clock: Clock) -> Budget {
    LazyLock::force(&RATE_LIMITED);
    let config = budget::Config {
        enabled: config.enabled,
        budget: config.budget,
        loopback_budget: config.budget,
        window: config.window,
    };
    Budget::new("graphql", "router.rate_limit", config, clock)
}

impl From<Spent> for RequestError {
    fn from(spent: Spent) -> Self {
        RATE_LIMITED.inc();
        Self::new(ErrorCode::RateLimited, spent.to_string())
            .with("limit", "rate_limit.budget")
            .with(RETRY_AFTER_SECONDS, spent.retry_after.as_secs())
    }
}
