//! Pools: how they open connections, which of them they hand out again, and the figures that they show.

use std::{io, sync::Arc, sync::LazyLock, time::Duration};

use prometheus::{IntGaugeVec, register_int_gauge_vec};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr};
use sqlx::{
    Connection as _, PgConnection, Postgres,
    pool::{PoolConnectionMetadata, PoolOptions},
    postgres::PgConnectOptions,
};
use tokio::time::timeout;
use url::Url;

use super::{config::Config, error::StoreError, link::Link, primary};
use crate::tasks::Tasks;

/// How a service's statements are planned: each looks up some rows by an index.
///
/// A prepared statement keeps the plan of its first runs. Those of a young database see empty tables, and would keep
/// reading them whole while they fill, until the first automatic `analyze`.
const BY_INDEX: [(&str, &str); 3] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];

/// How long an idle connection may take to answer before it is used, and an abandoned one to end what it was doing.
const TRIAL: Duration = Duration::from_secs(1);

/// A service's pool for one database. It is lazy: a server that is away now does not stop the start, and among several hosts the
/// primary is looked for again later.
///
/// # Errors
/// [`StoreError`] when the configured URL is none.
pub async fn connect(config: &Config, database: &str) -> Result<DatabaseConnection, StoreError> {
    open(config, database, database, &BY_INDEX).await
}

/// The same for somebody who reads whole tables.
///
/// # Errors
/// [`StoreError`] when the configured URL is none.
pub async fn connect_for_reports(
    config: &Config,
    database: &str,
) -> Result<DatabaseConnection, StoreError> {
    open(config, database, "reports", &[]).await
}

async fn open(
    config: &Config,
    database: &str,
    reader: &str,
    planning: &'static [(&str, &str)],
) -> Result<DatabaseConnection, StoreError> {
    let address = config.address()?.with_database(database);
    let [first, ..] = address.hosts() else {
        return Err(DbErr::Custom("the Postgres URL has no host".to_owned()).into());
    };
    let mut options = ConnectOptions::new(first.as_str());
    let session = config.session();
    let link = Arc::new(LateLink::default());
    let (of_pool, statement_timeout) = (Arc::clone(&link), config.statement_timeout);
    options
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout)
        .connect_timeout(config.acquire_timeout)
        .statement_timeout(statement_timeout)
        .idle_timeout(Duration::from_secs(300))
        .connect_lazy(true)
        // Tried by `may_go_out`, which bounds it.
        .test_before_acquire(false)
        .sqlx_logging(false)
        .set_application_name(format!("marketplace-{reader}"))
        .map_sqlx_postgres_opts(move |options| {
            let session = session.iter().map(|(name, value)| (*name, value.as_str()));
            options.options(planning.iter().copied().chain(session))
        })
        .map_sqlx_postgres_pool_opts(move |pool| with_trials(pool, &of_pool));
    let db = Database::connect(options).await?;
    let opened = db.get_postgres_connection_pool().connect_options();
    let hosts = address.hosts().iter().map(|url| at(&opened, url)).collect();
    let opened = Link::open(hosts, address.wanted(), statement_timeout);
    drop(link.set(Arc::clone(&opened)));
    if opened.wants_primary() {
        follow(&db, &opened).await;
    }
    Ok(db)
}

/// The same options for another host.
fn at(options: &PgConnectOptions, url: &Url) -> PgConnectOptions {
    let options = options.clone().port(url.port().unwrap_or(POSTGRES_PORT));
    match url.host_str() {
        Some(host) => options.host(host),
        None => options,
    }
}

/// Points a new pool to the primary. While there is none, its probe goes on looking.
async fn follow(db: &DatabaseConnection, link: &Link) {
    match primary::locate(link).await {
        Ok(found) => drop(found),
        Err(error) => tracing::debug!(%error, "no primary yet"),
    }
    if let Some(serving) = link.serving() {
        db.get_postgres_connection_pool()
            .set_connect_options(serving.clone());
    }
}

/// Source: Postgres's manual, 20.3.1, `port`.
const POSTGRES_PORT: u16 = 5432;

/// The pool's link, which is known once the pool is there.
type LateLink = std::sync::OnceLock<Arc<Link>>;

/// Tries connections before they go out and when they come back.
fn with_trials(pool: PoolOptions<Postgres>, link: &Arc<LateLink>) -> PoolOptions<Postgres> {
    let (out, back) = (Arc::clone(link), Arc::clone(link));
    pool.before_acquire(move |connection, about| {
        let link = Arc::clone(&out);
        Box::pin(async move { may_go_out(connection, &about, &link).await })
    })
    .after_release(move |connection, about| {
        let link = Arc::clone(&back);
        Box::pin(async move { may_come_back(connection, &about, &link).await })
    })
}

fn is_left_behind(about: &PoolConnectionMetadata, link: &LateLink) -> bool {
    link.get().is_some_and(|it| it.is_left_behind(about.age))
}

/// A connection that was idle is tried before use, so that a restarted server is noticed here.
async fn may_go_out(
    connection: &mut PgConnection,
    about: &PoolConnectionMetadata,
    link: &LateLink,
) -> Result<bool, sqlx::Error> {
    let is_good = !is_left_behind(about, link)
        && matches!(timeout(TRIAL, connection.ping()).await, Ok(Ok(())));
    Ok(is_good)
}

/// A connection whose user gave up in the middle of a statement comes back once that has ended; for the others, which are
/// nearly all, this waits for nothing.
async fn may_come_back(
    connection: &mut PgConnection,
    about: &PoolConnectionMetadata,
    link: &LateLink,
) -> Result<bool, sqlx::Error> {
    if is_left_behind(about, link) {
        return Ok(false);
    }
    match timeout(TRIAL, connection.flush()).await {
        Ok(ended) => ended.map(|()| true),
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
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

#[cfg(test)]
mod tests {
    use schema::code::ErrorCode;
    use sea_orm::ConnectionTrait as _;

    use super::*;
    use crate::{config::Secret, fault::Coded as _};

    #[tokio::test]
    async fn a_server_that_is_away_is_unavailable_not_internal() {
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
