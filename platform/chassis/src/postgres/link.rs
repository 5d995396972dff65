//! What the process knows about its way to one database: whether the server is away, and which connections are left behind.
//!
//! A pool hands its connections out by itself, so what is known about them is found by the pool's address. Invariant: a
//! connection that was opened before the last [`Link::renew`] is never used again.

use std::{
    collections::HashMap,
    future::pending,
    sync::{
        Arc, LazyLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use sea_orm::DatabaseConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Notify;

/// How long a transaction may take beyond one statement's time.
const GRACE: Duration = Duration::from_secs(1);

static LINKS: LazyLock<RwLock<HashMap<String, Arc<Link>>>> = LazyLock::new(RwLock::default);
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The way to one database.
#[derive(Debug)]
pub(super) struct Link {
    limit: Duration,
    is_away: AtomicBool,
    /// Microseconds since [`START`]; 0 for never.
    renewed: AtomicU64,
    suspicion: Notify,
    /// By how many milliseconds the server's clock is ahead of this machine's.
    skew: AtomicI64,
}

/// A difference of clocks that matters to nobody.
const EQUAL_CLOCKS: TimeDelta = TimeDelta::seconds(5);

impl Link {
    /// Of a new pool with these options. Pools with the same options share it.
    pub(super) fn open(options: &PgConnectOptions, statement_timeout: Duration) -> Arc<Self> {
        LazyLock::force(&START);
        let mut links = LINKS.write().unwrap_or_else(PoisonError::into_inner);
        let link = links.entry(key(options)).or_insert_with(|| {
            Arc::new(Self {
                limit: statement_timeout.saturating_add(GRACE),
                is_away: AtomicBool::new(false),
                renewed: AtomicU64::new(0),
                suspicion: Notify::new(),
                skew: AtomicI64::new(0),
            })
        });
        Arc::clone(link)
    }

    /// Of a pool that [`super::connect`] made; none for one that somebody else made.
    pub(super) fn of(db: &DatabaseConnection) -> Option<Arc<Self>> {
        let key = key(&db.get_postgres_connection_pool().connect_options());
        let links = LINKS.read().unwrap_or_else(PoisonError::into_inner);
        links.get(&key).cloned()
    }

    /// How long one transaction may take from the process's side.
    pub(super) const fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether the server is known to be away.
    pub(super) fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// Says whether the server answers. Returns whether that is news.
    pub(super) fn set_away(&self, is_away: bool) -> bool {
        self.is_away.swap(is_away, Ordering::Relaxed) != is_away
    }

    /// Says by how much the server's clock is ahead.
    pub(super) fn set_skew(&self, skew: TimeDelta) {
        self.skew.store(skew.num_milliseconds(), Ordering::Relaxed);
    }

    /// By how much the server's clock is ahead, if that matters.
    pub(super) fn skew(&self) -> Option<TimeDelta> {
        let skew = TimeDelta::milliseconds(self.skew.load(Ordering::Relaxed));
        (skew.abs() > EQUAL_CLOCKS).then_some(skew)
    }

    /// From now on no connection that is open now is used any more.
    pub(super) fn renew(&self) {
        let now = u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.renewed.fetch_max(now.max(1), Ordering::Relaxed);
        self.suspect();
    }

    /// Whoever watches the server should look at once.
    pub(super) fn suspect(&self) {
        self.suspicion.notify_one();
    }

    /// Whether a connection of that age is left behind.
    pub(super) fn is_left_behind(&self, age: Duration) -> bool {
        let renewed = Duration::from_micros(self.renewed.load(Ordering::Relaxed));
        !renewed.is_zero() && START.elapsed().saturating_sub(age) <= renewed
    }

    /// Ends when something speaks against the server.
    pub(super) async fn suspected(&self) {
        self.suspicion.notified().await;
    }
}

/// As [`Link::suspected`]; never for a pool that somebody else made.
pub(super) async fn suspected(link: Option<&Link>) {
    match link {
        Some(link) => link.suspected().await,
        None => pending().await,
    }
}

fn key(options: &PgConnectOptions) -> String {
    let (host, port) = (options.get_host(), options.get_port());
    let database = options.get_database().unwrap_or_default();
    let session = options.get_options().unwrap_or_default();
    format!("{host}:{port}/{database}?{session}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_left_behind_if_it_was_opened_before_the_renewal() {
        let options = PgConnectOptions::new_without_pgpass().host("nowhere.example");
        let link = Link::open(&options, Duration::from_secs(10));
        assert_eq!(link.limit(), Duration::from_secs(11));
        assert!(!link.is_left_behind(Duration::from_secs(3_600)));
        let opened = Instant::now();
        link.renew();
        assert!(link.is_left_behind(opened.elapsed() + Duration::from_micros(2)));
        std::thread::sleep(Duration::from_millis(2));
        assert!(!link.is_left_behind(Duration::ZERO), "a new one");
    }
}
