//! Writes order events beside the change they announce: the only way an event comes into being.

use chassis::{
    postgres::{StoreError, sql::Sql},
    sql,
};
use chrono::{DateTime, Utc};
use schema::event::OrderEvent;
use sea_orm::DatabaseTransaction;
use uuid::Uuid;

type Columns = (
    Vec<i64>,
    Vec<i32>,
    Vec<Uuid>,
    Vec<i64>,
    Vec<String>,
    Vec<DateTime<Utc>>,
    Vec<String>,
    Vec<String>,
);

pub(crate) static APPEND: Sql<Columns> = sql!("append.sql");

/// Appends the events in the caller's transaction, in the order given, with one statement.
///
/// They are announced only if `tx` commits. After the commit, call [`crate::RelayHandle::wake`]. The rows of
/// one order must be appended under that order's row lock, so that their ids ascend with their versions.
///
/// # Errors
/// [`StoreError`] when the statement fails; a repeated (order, version) or event id is such a failure.
pub async fn append(tx: &DatabaseTransaction, events: &[OrderEvent]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    APPEND.execute(tx, columns(events)).await?;
    Ok(())
}

/// One array a column, in the order of `append.sql`.
fn columns(events: &[OrderEvent]) -> Columns {
    (
        column(events, |event| event.order_id.get()),
        column(events, |event| {
            i32::try_from(event.version).expect("an order has fewer than 2^31 changes")
        }),
        column(events, |event| event.event_id),
        column(events, |event| event.user_id.get()),
        column(events, |event| event.status.as_str().to_owned()),
        column(events, |event| event.moment),
        column(events, OrderEvent::skus_text),
        column(events, |event| {
            event.traceparent.clone().unwrap_or_default()
        }),
    )
}

fn column<T>(events: &[OrderEvent], read: impl Fn(&OrderEvent) -> T) -> Vec<T> {
    events.iter().map(read).collect()
}
