//! Asks a server whether it answers, on a connection of its own: a pool that is busy is no server that is away.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr};
use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;

use super::{
    error::{StoreError, no_answer},
    link::{self, Link},
    time::NOW,
};
use crate::clock::Clock;

/// How long an open connection may take to answer.
const ANSWER: Duration = Duration::from_secs(1);
/// How long a new one may take to open.
const OPENING: Duration = Duration::from_secs(2);

/// Asks one server. What it finds out, [`super::within`] goes by.
#[derive(Debug)]
pub struct Probe {
    db: DatabaseConnection,
    link: Option<Arc<Link>>,
    connection: Option<PgConnection>,
    clock: Clock,
    skew: TimeDelta,
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
        }
    }

    /// By how much the server's clock is ahead of ours, as far as the last answer tells.
    #[must_use]
    pub const fn skew(&self) -> TimeDelta {
        self.skew
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
            let asked = self.clock.now();
            let time = sqlx::query_scalar(NOW.text()).fetch_one(&mut connection);
            if let Ok(Ok(time)) = timeout(ANSWER, time).await {
                self.compare(asked, time);
                self.connection = Some(connection);
                return Ok(());
            }
            // What was open with it is as dead.
            if let Some(link) = &self.link {
                link.renew();
            }
        }
        let options = self.db.get_postgres_connection_pool().connect_options();
        match timeout(OPENING, PgConnection::connect_with(&options)).await {
            Ok(Ok(mut connection)) => {
                let asked = self.clock.now();
                let time = sqlx::query_scalar(NOW.text()).fetch_one(&mut connection);
                if let Ok(Ok(time)) = timeout(ANSWER, time).await {
                    self.compare(asked, time);
                }
                self.connection = Some(connection);
                Ok(())
            }
            Ok(Err(error)) => Err(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))),
            Err(_) => Err(no_answer(ErrorKind::TimedOut, "it takes no connection")),
        }
    }

    /// Ends when a transaction met something that speaks against the server.
    ///
    /// # Cancel safety
    /// Whole.
    pub async fn suspected(&self) {
        link::suspected(self.link.as_deref()).await;
    }
}
