//! Asks a server whether it answers, on a connection of its own: a pool that is busy is no server that is away.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use sea_orm::{DatabaseConnection, DbErr, RuntimeErr};
use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;

use super::{
    error::{StoreError, no_answer},
    link::{self, Link},
};

/// How long an open connection may take to answer.
const ANSWER: Duration = Duration::from_secs(1);
/// How long a new one may take to open.
const OPENING: Duration = Duration::from_secs(2);

/// Asks one server. What it finds out, [`super::within`] goes by.
#[derive(Debug, Default)]
pub struct Probe {
    db: DatabaseConnection,
    link: Option<Arc<Link>>,
    connection: Option<PgConnection>,
}

impl Probe {
    /// A probe of the server of a pool.
    #[must_use]
    pub fn new(db: DatabaseConnection) -> Self {
        let link = Link::of(&db);
        Self {
            db,
            link,
            connection: None,
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
            if let Ok(Ok(())) = timeout(ANSWER, connection.ping()).await {
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
            Ok(Ok(connection)) => {
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
