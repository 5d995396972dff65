//! The notifier's SQL.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use schema::event::OrderEvent;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement, Value};
use serde_json::json;
use uuid::Uuid;

use crate::message::Received;

/// An event and where it stood.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) event: OrderEvent,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// Writes inbox rows and effects of the events that the inbox does not know, and queues them for the webhook if there is
/// one. `events` name each id once. Gives how many the inbox did not know.
pub(crate) async fn receive(
    tx: &DatabaseTransaction,
    events: &[Placed],
    webhook: bool,
) -> Result<u64, DbErr> {
    let values: [Value; 10] = [
        column(events, |it| it.event.event_id),
        column(events, |it| it.event.order_id.get()),
        column(events, |it| it.event.user_id.get()),
        column(events, |it| {
            i32::try_from(it.event.version).unwrap_or(i32::MAX)
        }),
        column(events, |it| it.event.status.as_str().to_owned()),
        column(events, |it| it.event.moment),
        column(events, |it| {
            it.event.traceparent.clone().unwrap_or_default()
        }),
        column(events, |it| it.partition),
        column(events, |it| it.offset),
        webhook.into(),
    ];
    let sql = include_str!("receive.sql");
    let done = tx.execute_raw(Statement::from_sql_and_values(
        DbBackend::Postgres,
        sql,
        values,
    ));
    Ok(done.await?.rows_affected())
}

/// The bug of the mutant `InboxOutsideTheTransaction`: the inbox knows an event before it has its effect.
pub(crate) async fn receive_apart(
    db: &impl ConnectionTrait,
    tx: &DatabaseTransaction,
    events: &[Placed],
) -> Result<u64, DbErr> {
    let inbox = r#"insert into inbox (event_id, order_id, version, partition, "offset")
                   select * from unnest($1::uuid[], $2::bigint[], $3::integer[], $4::integer[], $5::bigint[])
                   on conflict do nothing returning event_id"#;
    let version = |it: &Placed| i32::try_from(it.event.version).unwrap_or(i32::MAX);
    let values: [Value; 5] = [
        column(events, |it| it.event.event_id),
        column(events, |it| it.event.order_id.get()),
        column(events, version),
        column(events, |it| it.partition),
        column(events, |it| it.offset),
    ];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, inbox, values);
    let rows = db.query_all_raw(statement).await?;
    let fresh = rows.iter().map(|row| row.try_get("", "event_id"));
    let fresh: HashSet<Uuid> = fresh.collect::<Result<_, _>>()?;
    let events = events
        .iter()
        .filter(|it| fresh.contains(&it.event.event_id));
    let events: Vec<Placed> = events.cloned().collect();
    let effects = "insert into deliveries (event_id, order_id, user_id, version, status, moment)
                   select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::integer[], $5::text[],
                                        $6::timestamptz[])";
    let values: [Value; 6] = [
        column(&events, |it| it.event.event_id),
        column(&events, |it| it.event.order_id.get()),
        column(&events, |it| it.event.user_id.get()),
        column(&events, version),
        column(&events, |it| it.event.status.as_str().to_owned()),
        column(&events, |it| it.event.moment),
    ];
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, effects, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

/// Parks a message that cannot be handled; parking it again changes nothing.
pub(crate) async fn park(
    db: &impl ConnectionTrait,
    topic: &str,
    message: &Received,
    reason: &str,
) -> Result<(), DbErr> {
    let headers = message.headers.iter().map(|(name, value)| {
        let value = value
            .as_ref()
            .map(|bytes| String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}"));
        json!({ "name": name.replace('\0', "\u{fffd}"), "value": value })
    });
    let headers = serde_json::Value::Array(headers.collect());
    let sql = r#"insert into dead_letters (topic, partition, "offset", key, value, headers, reason)
                 values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing"#;
    let values: [Value; 7] = [
        topic.into(),
        message.partition.into(),
        message.offset.into(),
        message.key.clone().into(),
        message.value.clone().into(),
        headers.into(),
        reason.replace('\0', "\u{fffd}").into(),
    ];
    db.execute_raw(Statement::from_sql_and_values(
        DbBackend::Postgres,
        sql,
        values,
    ))
    .await?;
    Ok(())
}

/// Which of the events have an effect that no sink has taken yet.
pub(crate) async fn list_undelivered(
    db: &impl ConnectionTrait,
    events: &[Placed],
) -> Result<HashSet<Uuid>, DbErr> {
    let sql = "select event_id from deliveries where event_id = any($1) and delivered_at is null";
    let values = [column(events, |it| it.event.event_id)];
    let rows = db.query_all_raw(Statement::from_sql_and_values(
        DbBackend::Postgres,
        sql,
        values,
    ));
    rows.await?
        .iter()
        .map(|row| row.try_get("", "event_id"))
        .collect()
}

/// Notes that a sink took the notification.
pub(crate) async fn mark_delivered(
    db: &impl ConnectionTrait,
    events: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let sql =
        "update deliveries set delivered_at = $2, attempts = attempts + 1 where event_id = any($1)";
    let values = [events.to_vec().into(), now.into()];
    db.execute_raw(Statement::from_sql_and_values(
        DbBackend::Postgres,
        sql,
        values,
    ))
    .await?;
    Ok(())
}

fn column<T>(events: &[Placed], read: impl Fn(&Placed) -> T) -> Value
where
    Vec<T>: Into<Value>,
{
    events.iter().map(read).collect::<Vec<T>>().into()
}
