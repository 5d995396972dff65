//! Connections to Postgres through SeaORM, and what its errors mean.
//!
//! Decisions rest on SQLSTATE and constraint names, never on message text.

pub mod sql;

use std::{sync::LazyLock, time::Duration};

use prometheus::{IntGaugeVec, register_int_gauge_vec};
use schema::code::ErrorCode;
use schemars::JsonSchema;
use sea_orm::{ConnAcquireErr, ConnectOptions, Database, DbErr, RuntimeErr};
pub use sea_orm::{DatabaseConnection, DatabaseTransaction};
use serde::{Deserialize, Serialize};

use crate::{config::Secret, fault::Coded, tasks::Tasks};

/// Where the server is and how many connections one service keeps.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `postgres://user:password@host:port/`; the database name is each service's own. Empty: `up` starts a server.
    pub url: Secret,
    /// The most connections of one service's pool.
    #[schemars(range(min = 1))]
    pub max_connections: u32,
    /// How long a request waits for a connection, and for a new one to open.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub acquire_timeout: Duration,
    /// How long one statement may run.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "crate::config::duration::AboveZero")]
    pub statement_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            max_connections: 16,
            acquire_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// The URL of one database on the server.
    ///
    /// # Errors
    /// [`StoreError`] when the configured URL is none.
    pub fn database_url(&self, database: &str) -> Result<Secret, StoreError> {
        let mut url = url::Url::parse(self.url.expose())
            .map_err(|_| DbErr::Custom("the Postgres URL cannot be read".into()))?;
        url.set_path(database);
        Ok(Secret::new(url.to_string()))
    }
}

/// How a service's statements are planned: each looks up some rows by an index.
///
/// A prepared statement keeps the plan of its first runs. Those of a young database see empty tables, and would keep
/// reading them whole while they fill, until the first automatic `analyze`.
const BY_INDEX: [(&str, &str); 3] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];

/// A service's pool for one database. It is lazy: a server that is away now does not stop the start.
///
/// # Errors
/// [`StoreError`] when the configured URL is none.
pub async fn connect(config: &Config, database: &str) -> Result<DatabaseConnection, StoreError> {
    let mut options = options(config, database)?;
    options.map_sqlx_postgres_opts(|options| options.options(BY_INDEX));
    Ok(Database::connect(options).await?)
}

/// The same for somebody who reads whole tables.
///
/// # Errors
/// [`StoreError`] when the configured URL is none.
pub async fn connect_for_reports(
    config: &Config,
    database: &str,
) -> Result<DatabaseConnection, StoreError> {
    Ok(Database::connect(options(config, database)?).await?)
}

fn options(config: &Config, database: &str) -> Result<ConnectOptions, StoreError> {
    let mut options = ConnectOptions::new(config.database_url(database)?.expose());
    options
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout)
        .connect_timeout(config.acquire_timeout)
        .statement_timeout(config.statement_timeout)
        .idle_timeout(Duration::from_secs(300))
        .connect_lazy(true)
        // A connection that was idle is tried before use, so a restarted server is noticed here.
        .test_before_acquire(true)
        .sqlx_logging(false)
        .set_application_name(format!("marketplace-{database}"));
    Ok(options)
}

/// How often a pool is looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

static CONNECTIONS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "marketplace_postgres_connections",
        "Connections of a pool, idle and in use",
        &["database", "state"]
    )
    .expect("the name is registered once")
});

static CONNECTIONS_MAX: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "marketplace_postgres_connections_max",
        "The most connections of a pool",
        &["database"]
    )
    .expect("the name is registered once")
});

/// Shows how many connections the pool has, until the tasks' token. One watch a pool.
pub fn watch(db: &DatabaseConnection, database: &str, most: u32, tasks: &Tasks) {
    let (pool, token) = (db.get_postgres_connection_pool().clone(), tasks.token());
    let idle = CONNECTIONS.with_label_values(&[database, "idle"]);
    let in_use = CONNECTIONS.with_label_values(&[database, "in_use"]);
    CONNECTIONS_MAX
        .with_label_values(&[database])
        .set(most.into());
    tasks.spawn("postgres connections", async move {
        let mut ticks = tokio::time::interval(WATCH_INTERVAL);
        while token.run_until_cancelled(ticks.tick()).await.is_some() {
            let (all, free) = (i64::from(pool.size()), pool.num_idle());
            let free = i64::try_from(free).unwrap_or(i64::MAX).min(all);
            idle.set(free);
            in_use.set(all - free);
        }
    });
}

/// A database error, sorted once.
#[derive(Debug, thiserror::Error)]
#[error("database")]
pub struct StoreError(#[from] pub DbErr);

impl Coded for StoreError {
    fn code(&self) -> ErrorCode {
        if sqlstate(&self.0).as_deref() == Some("57014") {
            ErrorCode::DeadlineExceeded
        } else if is_unavailable(&self.0) || is_retryable(&self.0) {
            ErrorCode::Unavailable
        } else {
            ErrorCode::Internal
        }
    }
}

/// The five-character SQLSTATE, when the server answered with one.
#[must_use]
pub fn sqlstate(error: &DbErr) -> Option<String> {
    database_error(error)?.code().map(Into::into)
}

/// The constraint that was violated.
#[must_use]
pub fn constraint(error: &DbErr) -> Option<String> {
    database_error(error)?.constraint().map(Into::into)
}

/// Serialisation failure or deadlock: the same transaction may succeed when run again.
#[must_use]
pub fn is_retryable(error: &DbErr) -> bool {
    matches!(sqlstate(error).as_deref(), Some("40001" | "40P01"))
}

/// The server is out of reach, shutting down, or has no connection left.
#[must_use]
pub fn is_unavailable(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed) => {
            true
        }
        DbErr::Conn(_) | DbErr::Exec(_) | DbErr::Query(_) => match sqlx_error(error) {
            Some(sqlx::Error::Database(error)) => error.code().is_some_and(|code| {
                code.starts_with("08") || code.starts_with("57P") || code.starts_with("53")
            }),
            Some(
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Protocol(_),
            ) => true,
            _ => false,
        },
        _ => false,
    }
}

fn database_error(error: &DbErr) -> Option<&dyn sqlx::error::DatabaseError> {
    sqlx_error(error)?.as_database_error()
}

fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(inner))
        | DbErr::Exec(RuntimeErr::SqlxError(inner))
        | DbErr::Query(RuntimeErr::SqlxError(inner)) => Some(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_name_is_replaced_in_the_url() {
        let config = Config {
            url: Secret::new("postgres://a:b@h:1/x".into()),
            ..Config::default()
        };
        assert_eq!(
            config.database_url("loms").unwrap().expose(),
            "postgres://a:b@h:1/loms"
        );
        assert!(!format!("{config:?}").contains("a:b"));
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_unavailable_not_internal() {
        use sea_orm::ConnectionTrait as _;
        let config = Config {
            url: Secret::new("postgres://nobody@127.0.0.1:1/".into()),
            acquire_timeout: Duration::from_millis(300),
            ..Config::default()
        };
        let db = connect(&config, "loms").await.unwrap();
        let error = db.execute_unprepared("SELECT 1").await.unwrap_err();
        assert_eq!(StoreError(error).code(), ErrorCode::Unavailable);
    }
}
