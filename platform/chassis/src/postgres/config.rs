//! Settings of the connections to Postgres.

use std::time::Duration;

use schemars::JsonSchema;
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};

use super::{address::Address, error::StoreError};
use crate::config::Secret;

/// Where the server is and how many connections one service keeps.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `postgres://user:password@host:port/`; the database name is each service's own. Several hosts, as in `@one:5432,two:5432/`:
    /// the one that takes writes is used, and found again after a failover. Empty: `up` starts a server.
    pub url: Secret,
    /// The most connections of one service's pool.
    #[schemars(range(min = 1))]
    pub max_connections: u32,
    /// How long a request waits for a connection, and for a new one to open. While the server is known to be away it does not wait.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub acquire_timeout: Duration,
    /// How long one statement may run. A transaction that has no answer a second after that is given up, with its connection.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub statement_timeout: Duration,
    /// How long one statement may wait for a row that another transaction has locked.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub lock_timeout: Duration,
    /// How long the server waits for the next statement of a transaction, as of a process that was stopped in it; then it ends the
    /// session, and what the transaction has locked is free.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub idle_in_transaction_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            max_connections: 16,
            acquire_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(5),
            idle_in_transaction_timeout: Duration::from_secs(2),
        }
    }
}

impl Config {
    /// The address, read.
    ///
    /// # Errors
    /// [`StoreError`] when the configured URL is none.
    pub fn address(&self) -> Result<Address, StoreError> {
        let address = Address::parse(self.url.expose());
        Ok(address.map_err(|error| DbErr::Custom(format!("the Postgres URL: {error}")))?)
    }

    /// What each session is told when it opens: bounds that the server keeps even when this process cannot.
    ///
    /// The `tcp_` settings let it notice within seconds that this machine is gone; it would take hours by itself.
    pub(super) fn session(&self) -> [(&'static str, String); 6] {
        let milliseconds = |time: Duration| time.as_millis().max(1).to_string();
        [
            (
                "idle_in_transaction_session_timeout",
                milliseconds(self.idle_in_transaction_timeout),
            ),
            ("lock_timeout", milliseconds(self.lock_timeout)),
            ("tcp_keepalives_idle", "5".to_owned()),
            ("tcp_keepalives_interval", "2".to_owned()),
            ("tcp_keepalives_count", "3".to_owned()),
            ("tcp_user_timeout", "10000".to_owned()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_not_shown() {
        let config = Config {
            url: Secret::new("postgres://a:b@h:1/x".into()),
            ..Config::default()
        };
        assert!(config.address().is_ok());
        assert!(!format!("{config:?}").contains("a:b"));
    }
}
