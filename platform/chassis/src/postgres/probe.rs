//! Asks a server whether it answers, on a connection of its own: a pool that is busy is no server that is away.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr};
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, timeout};

use super::{
    error::{StoreError, no_answer},
    link::{self, Link},
    primary,
    time::NOW,
};
use crate::clock::Clock;

/// How long an open connection may take to answer.
const ANSWER: Duration = Duration::from_secs(1);
/// How long a new one may take to open.
const OPENING: Duration = Duration::from_secs(2);

/// How often the other hosts of an address are asked whether one of them has become the primary.
const LOOK_AROUND: Duration = Duration::from_secs(10);

/// Asks one server. What it finds out, [`super::within`] goes by.
#[derive(Debug)]
pub struct Probe {
    db: DatabaseConnection,
    link: Option<Arc<Link>>,
    connection: Option<PgConnection>,
    clock: Clock,
    skew: TimeDelta,
    told_of_no_standby: bool,
    /// When all hosts were asked the last time.
    looked: Instant,
}

impl Probe {
    /// A probe of the server of a pool, which compares its clock with `clock`.
    #[must_use]
    pub fn new(db: DatabaseConnection, clock: Clock) -> Self {
        let link = Link::of(&db);
        Self {
            db,
            link,
            connection: None,
            clock,
            skew: TimeDelta::zero(),
            told_of_no_standby: false,
            looked: Instant::now(),
        }
    }

    /// By how much the server's clock is ahead of ours, as far as the last answer tells.
    #[must_use]
    pub const fn skew(&self) -> TimeDelta {
        self.skew
    }

    /// Whether the server refused a change of late because its disk is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.is_full())
    }

    /// Compares the clocks in the middle between question and answer.
    fn compare(&mut self, asked: DateTime<Utc>, time: DateTime<Utc>) {
        let answered = self.clock.now();
        self.skew = time - (asked + (answered - asked) / 2);
        if let Some(link) = &self.link {
            link.set_skew(self.skew);
        }
    }

    /// Whether the server answers, on the connection that did last time or on a new one.
    ///
    /// # Errors
    /// Why it does not, within three seconds.
    ///
    /// # Cancel safety
    /// Whole: the next question opens a new connection.
    pub async fn ask(&mut self) -> Result<(), StoreError> {
        let result = self.try_ask().await;
        if let Some(link) = &self.link {
            link.set_away(result.is_err());
        }
        Ok(result?)
    }

    async fn try_ask(&mut self) -> Result<(), DbErr> {
        if let Some(mut connection) = self.connection.take() {
            if self.still_serves(&mut connection).await {
                return self.look_around(connection).await;
            }
            // What was open with it is as dead.
            if let Some(link) = &self.link {
                link.renew();
            }
        }
        let connection = match self.link.clone() {
            Some(link) if link.wants_primary() => self.find_primary(&link).await?,
            _ => self.open().await?,
        };
        self.connection = Some(connection);
        Ok(())
    }

    /// A primary that was replaced while we were cut off with it goes on taking what we send; only the other hosts can tell. So
    /// they are asked now and then, and at once when something speaks against it.
    async fn look_around(&mut self, connection: PgConnection) -> Result<(), DbErr> {
        self.connection = Some(connection);
        let Some(link) = self.link.clone().filter(|it| it.wants_primary()) else {
            return Ok(());
        };
        let looked = self.looked.elapsed();
        if looked < LOOK_AROUND && !link.is_left_behind(looked) {
            return Ok(());
        }
        match self.find_primary(&link).await {
            Ok(connection) => self.connection = Some(connection),
            Err(error) => tracing::debug!(%error, "the other hosts cannot be asked"),
        }
        Ok(())
    }

    /// Whether the server answers and, where a primary is wanted, takes writes.
    async fn still_serves(&mut self, connection: &mut PgConnection) -> bool {
        let asked = self.clock.now();
        if !self.wants_primary() {
            let time = sqlx::query_scalar(NOW.text()).fetch_one(connection);
            let Ok(Ok(time)) = timeout(ANSWER, time).await else {
                return false;
            };
            self.compare(asked, time);
            return true;
        }
        let Ok(Ok(place)) = timeout(ANSWER, primary::place(connection)).await else {
            return false;
        };
        self.compare(asked, place.now);
        !place.is_read_only
    }

    fn wants_primary(&self) -> bool {
        self.link.as_ref().is_some_and(|it| it.wants_primary())
    }

    /// A new connection to the one server.
    async fn open(&mut self) -> Result<PgConnection, DbErr> {
        let options = self.db.get_postgres_connection_pool().connect_options();
        match timeout(OPENING, PgConnection::connect_with(&options)).await {
            Ok(Ok(mut connection)) => {
                let asked = self.clock.now();
                let time = sqlx::query_scalar(NOW.text()).fetch_one(&mut connection);
                if let Ok(Ok(time)) = timeout(ANSWER, time).await {
                    self.compare(asked, time);
                }
                Ok(connection)
            }
            Ok(Err(error)) => Err(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))),
            Err(_) => Err(no_answer(ErrorKind::TimedOut, "it takes no connection")),
        }
    }

    /// A new connection to the host that takes writes now; the pool follows.
    async fn find_primary(&mut self, link: &Link) -> Result<PgConnection, DbErr> {
        let before = link.serving().map(|it| (it.get_host(), it.get_port()));
        let asked = self.clock.now();
        self.looked = Instant::now();
        let found = primary::locate(link).await?;
        self.compare(asked, found.place.now);
        let serving = link.serving();
        if let Some(serving) = serving {
            let pool = self.db.get_postgres_connection_pool();
            pool.set_connect_options(serving.clone());
        }
        let (now, timeline) = (
            serving.map(|it| (it.get_host(), it.get_port())),
            found.place.timeline,
        );
        if let (true, Some((host, port))) = (now != before, now) {
            tracing::warn!(
                host,
                port,
                timeline,
                "another Postgres takes the writes now"
            );
        }
        if !found.place.waits_for_standby && !self.told_of_no_standby {
            tracing::warn!(
                "commits do not wait for a standby: a failover may lose acknowledged orders; set synchronous_standby_names"
            );
        }
        self.told_of_no_standby = !found.place.waits_for_standby;
        Ok(found.connection)
    }

    /// Ends when a transaction met something that speaks against the server.
    ///
    /// # Cancel safety
    /// Whole.
    pub async fn suspected(&self) {
        link::suspected(self.link.as_deref()).await;
    }
}

/// Ends when the server of a pool with several hosts is another one than at the call; never for a pool with one host. For whoever
/// holds a session of their own, which the pool cannot leave behind for them.
///
/// # Cancel safety
/// Whole.
pub async fn moved(db: &DatabaseConnection) {
    match Link::of(db) {
        Some(link) => link.moved().await,
        None => std::future::pending().await,
    }
}
