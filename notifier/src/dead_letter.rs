//! Parked messages: to look at, and to handle again when what was wrong is mended.
//!
//! Replaying is one transaction: the row leaves `dead_letters` together with what handling writes, inbox row and effect
//! and the webhook's queue. So a replay that dies has done nothing, and one that is repeated finds no row. The line is
//! written before the commit: as everywhere, the sink may see an event twice, and always under the same id.

use chassis::{
    clock::Clock,
    postgres::{self, DatabaseConnection, DatabaseTransaction, StoreError, sql::Sql},
    sql,
};
use chrono::{DateTime, Utc};
use schema::event::DecodeError;
use sea_orm::{
    ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    TransactionTrait as _,
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    config::Config,
    entity::dead_letter,
    message::Received,
    sink::{Sink, SinkError},
    store::{self, Positioned},
};

pub(crate) static QUEUE_AGAIN: Sql<(Uuid,)> = sql!("queue_again.sql");

/// A parked message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadLetter {
    /// Its number, by which it is replayed.
    pub id: i64,
    /// Where it stood.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Why it was parked.
    pub reason: String,
    /// When it was parked.
    pub parked_at: DateTime<Utc>,
    /// The event that the webhook's receiver refused; none if the message itself could not be handled.
    pub refused_event: Option<Uuid>,
    /// Its key, as far as it is text.
    pub key: Option<String>,
    /// Its value, as far as it is text.
    pub value: Option<String>,
    /// Its headers: a list of objects with `name` and `value`.
    pub headers: serde_json::Value,
}

/// What a replay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// The event has its effect now.
    Handled,
    /// The event had its effect already; only the dead letter is gone.
    Known,
    /// The event is in the webhook's queue again.
    Queued,
}

/// Why a dead letter was not replayed. It is still there, unless it never was.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No such row: it was replayed before, or never parked.
    #[error("there is no dead letter {0}")]
    Missing(i64),
    /// The message is still no order event.
    #[error("it is still no order event: {0}")]
    Decode(#[from] DecodeError),
    /// The webhook's receiver refused it, and there is no webhook now.
    #[error("it is for the webhook, and notifier.webhook.url is not set")]
    NoWebhook,
    /// The line could not be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The database failed, or refuses the event as before.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DbErr> for ReplayError {
    fn from(error: DbErr) -> Self {
        Self::Store(StoreError(error))
    }
}

/// A header as it was parked.
#[derive(serde::Deserialize)]
struct Header {
    name: String,
    value: Option<String>,
}

impl From<dead_letter::Model> for DeadLetter {
    fn from(row: dead_letter::Model) -> Self {
        let text =
            |bytes: Option<Vec<u8>>| bytes.map(|it| String::from_utf8_lossy(&it).into_owned());
        Self {
            id: row.id,
            topic: row.topic,
            partition: row.partition,
            offset: row.offset,
            reason: row.reason,
            parked_at: row.parked_at,
            refused_event: row.refused_event,
            key: text(row.key),
            value: text(row.value),
            headers: row.headers,
        }
    }
}

/// The message as it came, but for bytes of its headers that were no text.
fn message(row: dead_letter::Model) -> Received {
    let headers: Vec<Header> = serde_json::from_value(row.headers).unwrap_or_default();
    Received {
        partition: row.partition,
        offset: row.offset,
        key: row.key,
        value: row.value,
        headers: headers
            .into_iter()
            .map(|header| (header.name, header.value.map(String::into_bytes)))
            .collect(),
    }
}

/// The notifier's dead letters.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    database: DatabaseConnection,
    clock: Clock,
    webhook: bool,
}

impl DeadLetters {
    /// Opens the notifier's database.
    ///
    /// # Errors
    /// When the settings make no connection.
    pub async fn open(
        postgres: &postgres::Config,
        config: &Config,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            database: postgres::connect(postgres, &config.database).await?,
            clock,
            webhook: config.webhook.is_on(),
        })
    }

    /// The oldest `most` of them behind number `after`, oldest first.
    ///
    /// # Errors
    /// A failing database.
    pub async fn list(&self, after: i64, most: u32) -> Result<Vec<DeadLetter>, StoreError> {
        let rows = dead_letter::Entity::find()
            .filter(dead_letter::Column::Id.gt(after))
            .order_by_asc(dead_letter::Column::Id)
            .limit(u64::from(most))
            .all(&self.database)
            .await?;
        Ok(rows.into_iter().map(DeadLetter::from).collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ReplayError::Missing`], or a failing database.
    pub async fn show(&self, id: i64) -> Result<DeadLetter, ReplayError> {
        let row = dead_letter::Entity::find_by_id(id)
            .one(&self.database)
            .await?;
        row.map(DeadLetter::from).ok_or(ReplayError::Missing(id))
    }

    /// Deletes one of them, and gives it.
    ///
    /// # Errors
    /// [`ReplayError::Missing`], or a failing database.
    pub async fn delete(&self, id: i64) -> Result<DeadLetter, ReplayError> {
        let row = dead_letter::Entity::delete_by_id(id)
            .exec_with_returning(&self.database)
            .await?;
        row.map(DeadLetter::from).ok_or(ReplayError::Missing(id))
    }

    /// Handles one of them again, and writes the line of an event that had no effect to `sink`. With `keep` nothing is
    /// changed and nothing written: it says what would happen.
    ///
    /// # Errors
    /// [`ReplayError`]; nothing has changed then.
    pub async fn replay(
        &self,
        id: i64,
        sink: &dyn Sink,
        keep: bool,
    ) -> Result<Replayed, ReplayError> {
        let tx = self.database.begin().await?;
        // Two replays of one row take turns; the second finds nothing.
        let row = dead_letter::Entity::find_by_id(id)
            .lock_exclusive()
            .one(&tx)
            .await?
            .ok_or(ReplayError::Missing(id))?;
        let replayed = match row.refused_event {
            Some(event) => self.queue_again(&tx, event).await?,
            None => self.handle(&tx, row, sink, keep).await?,
        };
        dead_letter::Entity::delete_by_id(id).exec(&tx).await?;
        if keep {
            tx.rollback().await?;
        } else {
            tx.commit().await?;
        }
        Ok(replayed)
    }

    async fn queue_again(
        &self,
        tx: &DatabaseTransaction,
        event: Uuid,
    ) -> Result<Replayed, ReplayError> {
        if !self.webhook {
            return Err(ReplayError::NoWebhook);
        }
        QUEUE_AGAIN.execute(tx, (event,)).await?;
        Ok(Replayed::Queued)
    }

    async fn handle(
        &self,
        tx: &DatabaseTransaction,
        row: dead_letter::Model,
        sink: &dyn Sink,
        keep: bool,
    ) -> Result<Replayed, ReplayError> {
        let (partition, offset) = (row.partition, row.offset);
        let event = message(row).decode()?;
        let positioned = Positioned {
            event,
            partition,
            offset,
        };
        if store::receive(tx, std::slice::from_ref(&positioned), self.webhook).await? == 0 {
            return Ok(Replayed::Known);
        }
        if !keep {
            let event = &positioned.event;
            sink.deliver(event).await?;
            store::mark_delivered(tx, vec![event.event_id], self.clock.now()).await?;
        }
        Ok(Replayed::Handled)
    }
}
