//! Sends events again that their topic has lost: with the topic, or with the end of it.

use chassis::{
    postgres::{StoreError, sql::Sql},
    sql,
};
use sea_orm::DatabaseConnection;
use uuid::Uuid;

pub(crate) static SEND_AGAIN: Sql<(Vec<Uuid>,)> = sql!("send_again.sql");

/// Appends these events anew, whether the outbox or the orders' history has them; the relay sends them within its
/// `poll_interval`. One that is unsent, or that nobody knows, is passed over. Gives how many there were.
///
/// # Errors
/// [`StoreError`]; nothing is sent again then.
pub async fn send_again(db: &DatabaseConnection, events: &[Uuid]) -> Result<u64, StoreError> {
    if events.is_empty() {
        return Ok(0);
    }
    Ok(SEND_AGAIN.execute(db, (events.to_vec(),)).await?)
}
