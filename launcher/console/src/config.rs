//! The console's settings.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The operators' console, which `up` serves.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether `up` serves the page `/ops`. Unset, it does in the profile `demo`, and in `production` it does not.
    pub enabled: Option<bool>,
    /// Where it listens. Where nobody chose this address and somebody else has it, `up` takes a free port.
    pub listen: SocketAddr,
    /// Whether the services reach a Postgres that `up` started over a relay, which the fault `postgres-slow-500ms` makes slow.
    /// Only in the profile `demo`, where there is a console: every statement makes one hop more.
    pub postgres_relay_enabled: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4005)),
            postgres_relay_enabled: false,
        }
    }
}
