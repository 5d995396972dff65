//! Writes order events beside the change they announce: the only way an event comes into being.

use chassis::postgres::StoreError;
use schema::event::OrderEvent;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};

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
    let statement = Statement::from_sql_and_values(
        DbBackend::Postgres,
        include_str!("append.sql"),
        columns(events),
    );
    tx.execute_raw(statement).await?;
    Ok(())
}

/// One array a column, in the order of `append.sql`.
fn columns(events: &[OrderEvent]) -> [Value; 7] {
    [
        column(events, |event| event.order_id.get()),
        column(events, |event| {
            i32::try_from(event.version).expect("an order has fewer than 2^31 changes")
        }),
        column(events, |event| event.event_id),
        column(events, |event| event.user_id.get()),
        column(events, |event| event.status.as_str().to_owned()),
        column(events, |event| event.moment),
        column(events, |event| {
            event.traceparent.clone().unwrap_or_default()
        }),
    ]
}

fn column<T>(events: &[OrderEvent], read: impl Fn(&OrderEvent) -> T) -> Value
where
    Vec<T>: Into<Value>,
{
    events.iter().map(read).collect::<Vec<T>>().into()
}
