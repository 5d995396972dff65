//! The settings of a budget.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The cost budget of each caller: a fixed window.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Refuses a caller that has spent its budget; the costs are counted either way.
    pub enabled: bool,
    /// What one user, or one address without a token, may spend in a window.
    #[schemars(range(min = 1))]
    pub budget: u64,
    /// What an address of this machine may spend in a window: what runs here calls for many users.
    #[schemars(range(min = 1))]
    pub loopback_budget: u64,
    /// The window's length.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub window: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            budget: 10_000_000,
            loopback_budget: 100_000_000,
            window: Duration::from_mins(1),
        }
    }
}
