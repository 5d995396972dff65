//! The SQL of inbox, effects and dead letters.

use std::collections::HashSet;

use chassis::{postgres::sql::Sql, sql};
use chrono::{DateTime, Utc};
use schema::event::OrderEvent;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait as _,
    ExprTrait as _, QueryFilter as _, QuerySelect as _,
    sea_query::{Expr, OnConflict, extension::postgres::PgFunc},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    entity::{dead_letter, delivery},
    message::Received,
};

/// An event and where it stood.
#[derive(Debug, Clone)]
pub(crate) struct Positioned {
    pub(crate) event: OrderEvent,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// A row an event: id, order, user, version, status, moment, traceparent, partition and offset, each as a column. Then
/// whether there is a webhook.
type Columns = (
    Vec<Uuid>,
    Vec<i64>,
    Vec<i64>,
    Vec<i32>,
    Vec<String>,
    Vec<DateTime<Utc>>,
    Vec<String>,
    Vec<i32>,
    Vec<i64>,
    bool,
);

pub(crate) static RECEIVE: Sql<Columns> = sql!("receive.sql");

/// Writes inbox rows and effects of the events that the inbox does not know, and queues them for the webhook if there is
/// one. `events` name each id once. Gives how many the inbox did not know.
pub(crate) async fn receive(
    tx: &DatabaseTransaction,
    events: &[Positioned],
    webhook: bool,
) -> Result<u64, DbErr> {
    let columns = (
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
        webhook,
    );
    RECEIVE.execute(tx, columns).await
}

fn column<T>(events: &[Positioned], read: impl Fn(&Positioned) -> T) -> Vec<T> {
    events.iter().map(read).collect()
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
            .map(|bytes| without_nul(&String::from_utf8_lossy(bytes)));
        json!({ "name": without_nul(name), "value": value })
    });
    let parked = dead_letter::ActiveModel {
        id: NotSet,
        topic: Set(topic.to_owned()),
        partition: Set(message.partition),
        offset: Set(message.offset),
        key: Set(message.key.clone()),
        value: Set(message.value.clone()),
        headers: Set(serde_json::Value::Array(headers.collect())),
        reason: Set(without_nul(reason)),
        parked_at: NotSet,
        refused_event: NotSet,
    };
    dead_letter::Entity::insert(parked)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// Postgres keeps no NUL in a text.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Which of the events have an effect that no sink has taken yet.
pub(crate) async fn list_undelivered(
    db: &impl ConnectionTrait,
    events: &[Positioned],
) -> Result<HashSet<Uuid>, DbErr> {
    let ids = column(events, |it| it.event.event_id);
    let undelivered: Vec<Uuid> = delivery::Entity::find()
        .select_only()
        .column(delivery::Column::EventId)
        .filter(is_one_of(ids))
        .filter(delivery::Column::DeliveredAt.is_null())
        .into_tuple()
        .all(db)
        .await?;
    Ok(undelivered.into_iter().collect())
}

/// Notes that a sink took the notifications.
pub(crate) async fn mark_delivered(
    db: &impl ConnectionTrait,
    events: Vec<Uuid>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let attempts = Expr::col(delivery::Column::Attempts).add(1);
    delivery::Entity::update_many()
        .col_expr(delivery::Column::DeliveredAt, Expr::value(now))
        .col_expr(delivery::Column::Attempts, attempts)
        .filter(is_one_of(events))
        .exec(db)
        .await?;
    Ok(())
}

/// One parameter however many there are, so that the statement is prepared once.
fn is_one_of(events: Vec<Uuid>) -> Expr {
    Expr::col(delivery::Column::EventId).eq(PgFunc::any(events))
}
