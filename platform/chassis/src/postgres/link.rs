//! What the process knows about its way to one database: whether the server is away, and which connections are left behind.
//!
//! A pool hands its connections out by itself, so what is known about them is found by the pool's address. Invariant: a
//! connection that was opened before the last [`Link::renew`] is never used again.

use std::{
    collections::HashMap,
    future::pending,
    sync::{
        Arc, LazyLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use sea_orm::DatabaseConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Notify, watch};

use super::address::Wanted;

/// How long a transaction may take beyond one statement's time.
const GRACE: Duration = Duration::from_secs(1);
/// How long a refusal for want of room says that the server's disk is full. Nothing else tells: reads go on, and what no change
/// has tried is not known.
const FULL: Duration = Duration::from_secs(20);

static LINKS: LazyLock<RwLock<HashMap<String, Arc<Link>>>> = LazyLock::new(RwLock::default);
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The way to one database.
#[derive(Debug)]
pub(super) struct Link {
    limit: Duration,
    is_away: AtomicBool,
    /// Microseconds since [`START`]; 0 for never.
    renewed: AtomicU64,
    /// When a change was refused for want of room, as `renewed`.
    refused: AtomicU64,
    suspicion: Notify,
    /// By how many milliseconds the server's clock is ahead of this machine's.
    skew: AtomicI64,
    /// How each host is reached; one of them serves.
    hosts: Vec<PgConnectOptions>,
    wanted: Wanted,
    serving: AtomicUsize,
    /// The highest timeline of a primary that served: one of a lower was replaced.
    timeline: AtomicI64,
    moves: watch::Sender<u64>,
}

/// A difference of clocks that matters to nobody.
const EQUAL_CLOCKS: TimeDelta = TimeDelta::seconds(5);

impl Link {
    /// Of a new pool that may use these hosts. Pools with the same ones share it.
    pub(super) fn open(
        hosts: Vec<PgConnectOptions>,
        wanted: Wanted,
        statement_timeout: Duration,
    ) -> Arc<Self> {
        LazyLock::force(&START);
        let keys: Vec<String> = hosts.iter().map(key).collect();
        let mut links = LINKS.write().unwrap_or_else(PoisonError::into_inner);
        let known = keys.first().and_then(|it| links.get(it)).cloned();
        let is_same =
            |link: &Arc<Self>| link.wanted == wanted && link.keys().eq(keys.iter().cloned());
        if let Some(known) = known.filter(is_same) {
            return known;
        }
        let link = Arc::new(Self {
            limit: statement_timeout.saturating_add(GRACE),
            is_away: AtomicBool::new(false),
            renewed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            suspicion: Notify::new(),
            skew: AtomicI64::new(0),
            hosts,
            wanted,
            serving: AtomicUsize::new(0),
            timeline: AtomicI64::new(0),
            moves: watch::Sender::new(0),
        });
        links.extend(keys.into_iter().map(|it| (it, Arc::clone(&link))));
        link
    }

    /// Of a pool that [`super::connect`] made; none for one that somebody else made. The pool opens its next connections to the
    /// host that serves now.
    pub(super) fn of(db: &DatabaseConnection) -> Option<Arc<Self>> {
        let pool = db.get_postgres_connection_pool();
        let options = pool.connect_options();
        let link = {
            let links = LINKS.read().unwrap_or_else(PoisonError::into_inner);
            links.get(&key(&options)).cloned()?
        };
        if let Some(serving) = link.serving().filter(|it| !is_same_host(it, &options)) {
            pool.set_connect_options(serving.clone());
        }
        Some(link)
    }

    fn keys(&self) -> impl Iterator<Item = String> {
        self.hosts.iter().map(key)
    }

    /// The hosts of which one serves.
    pub(super) fn hosts(&self) -> &[PgConnectOptions] {
        &self.hosts
    }

    /// The one that serves now, as far as is known.
    pub(super) fn serving(&self) -> Option<&PgConnectOptions> {
        self.hosts.get(self.serving.load(Ordering::Relaxed))
    }

    /// Whether the server must take writes.
    pub(super) fn wants_primary(&self) -> bool {
        self.wanted == Wanted::Primary
    }

    /// The least timeline of a primary.
    pub(super) fn timeline(&self) -> i64 {
        self.timeline.load(Ordering::Relaxed)
    }

    /// Says which host takes writes. What was opened to another is left behind.
    pub(super) fn move_to(&self, host: usize, timeline: i64) {
        self.timeline.fetch_max(timeline, Ordering::Relaxed);
        if self.serving.swap(host, Ordering::Relaxed) != host {
            self.renew();
            self.moves.send_modify(|it| *it += 1);
        }
    }

    /// Ends when the server is another one than at the call.
    pub(super) async fn moved(&self) {
        let mut moves = self.moves.subscribe();
        if moves.changed().await.is_err() {
            pending::<()>().await;
        }
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
        self.renewed.fetch_max(since_start(), Ordering::Relaxed);
        self.suspect();
    }

    /// Says that the server refused a change for want of room.
    pub(super) fn lack_room(&self) {
        self.refused.fetch_max(since_start(), Ordering::Relaxed);
        self.suspect();
    }

    /// Whether the server's disk is full, as far as changes have told of late.
    pub(super) fn is_full(&self) -> bool {
        let refused = Duration::from_micros(self.refused.load(Ordering::Relaxed));
        !refused.is_zero() && START.elapsed().saturating_sub(refused) < FULL
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

/// Microseconds, at least 1.
fn since_start() -> u64 {
    let now = u64::try_from(START.elapsed().as_micros()).unwrap_or(u64::MAX);
    now.max(1)
}

/// As [`Link::suspected`]; never for a pool that somebody else made.
pub(super) async fn suspected(link: Option<&Link>) {
    match link {
        Some(link) => link.suspected().await,
        None => pending().await,
    }
}

fn is_same_host(one: &PgConnectOptions, other: &PgConnectOptions) -> bool {
    (one.get_host(), one.get_port()) == (other.get_host(), other.get_port())
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
        let link = Link::open(vec![options], Wanted::Any, Duration::from_secs(10));
        assert_eq!(link.limit(), Duration::from_secs(11));
        assert!(!link.is_left_behind(Duration::from_secs(3_600)));
        let opened = Instant::now();
        link.renew();
        assert!(link.is_left_behind(opened.elapsed() + Duration::from_micros(2)));
        std::thread::sleep(Duration::from_millis(2));
        assert!(!link.is_left_behind(Duration::ZERO), "a new one");
    }

    #[test]
    fn a_disk_is_full_once_a_change_was_refused_for_it() {
        let options = PgConnectOptions::new_without_pgpass().host("full.example");
        let link = Link::open(vec![options], Wanted::Any, Duration::from_secs(10));
        assert!(!link.is_full());
        link.lack_room();
        assert!(link.is_full());
    }

    #[tokio::test]
    async fn a_move_leaves_connections_behind_and_is_told() {
        let host = |name| PgConnectOptions::new_without_pgpass().host(name);
        let hosts = || vec![host("old.example"), host("new.example")];
        let link = Link::open(hosts(), Wanted::Primary, Duration::from_secs(10));
        let same = Link::open(hosts(), Wanted::Primary, Duration::from_secs(10));
        assert!(Arc::ptr_eq(&link, &same));
        let (opened, moved) = (Instant::now(), link.moved());
        link.move_to(0, 3);
        assert!(!link.is_left_behind(opened.elapsed()), "it has not moved");
        let ((), ()) = tokio::join!(moved, async {
            tokio::task::yield_now().await;
            link.move_to(1, 4);
        });
        assert!(link.is_left_behind(opened.elapsed() + Duration::from_micros(2)));
        assert_eq!(link.serving().unwrap().get_host(), "new.example");
        link.move_to(1, 2);
        assert_eq!(link.timeline(), 4, "a lower one changes nothing");
    }
}
