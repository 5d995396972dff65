//! What every listener of a process does to its connections: how long each state may last, how much it may hold.

use std::{sync::OnceLock, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds of the connections of every listener of the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long a new connection may wait before its first request, and how long the head of a request may take from
    /// its first byte; then 408.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub header_timeout: Duration,
    /// How long the body of a request may take to arrive; then 408.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub body_timeout: Duration,
    /// How long a connection may wait between two requests.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub idle_timeout: Duration,
    /// How long a client may take nothing of what is written to it.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub write_timeout: Duration,
    /// The longest head of a request: its target and headers; more is 431.
    #[schemars(range(min = 8192, max = 1_048_576))]
    pub header_bytes_max: u32,
    /// Connections that wait in the kernel to be accepted: as many as a crowd of returning streams makes at once. The kernel
    /// takes fewer where `net.core.somaxconn` says so.
    #[schemars(range(min = 16, max = 65_535))]
    pub backlog: u32,
    /// Connections of one listener. Beyond it, and short of file descriptors, a new connection takes the place of the
    /// oldest one that has no request in flight; it is refused with 503 only when all have one.
    #[schemars(range(min = 1))]
    pub per_listener_max: usize,
    /// Connections of one listener from one address, IPv6 counted by its first 64 bits; loopback is not counted.
    #[schemars(range(min = 1))]
    pub per_address_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(60),
            header_bytes_max: 32 * 1024,
            backlog: 4_096,
            per_listener_max: 20_000,
            per_address_max: 15_000,
        }
    }
}

/// What the process decided at its start.
#[derive(Debug, Clone, Default)]
pub(super) struct Installed {
    pub(super) config: Config,
    pub(super) allowed_hosts: Vec<String>,
}

static INSTALLED: OnceLock<Installed> = OnceLock::new();

/// Sets the bounds of every listener that this process opens from now on; the first call counts.
///
/// `allowed_hosts` are the names, besides those of loopback, under which clients may ask (setting
/// `router.http.allowed_hosts`).
pub fn install(config: Config, allowed_hosts: Vec<String>) {
    let _is_first = INSTALLED
        .set(Installed {
            config,
            allowed_hosts,
        })
        .is_ok();
}

/// The bounds in force; the defaults where none were installed.
pub(super) fn installed() -> Installed {
    INSTALLED.get().cloned().unwrap_or_default()
}
