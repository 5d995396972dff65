//! The queue's SQL. Every change of a row names the attempt it belongs to, so one that lost its lease changes nothing.

use chassis::postgres::DatabaseConnection;
use chrono::{DateTime, Utc};
use schema::event::OrderEvent;
use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, FromQueryResult, Statement, Value};
use serde_json::json;
use uuid::Uuid;

/// An event that a courier has taken.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) event: OrderEvent,
    /// Requests, this one included.
    pub(super) attempts: u32,
    /// Refusals so far.
    pub(super) refusals: u32,
}

#[derive(FromQueryResult)]
struct Row {
    event_id: Uuid,
    order_id: i64,
    user_id: i64,
    version: i32,
    status: String,
    moment: DateTime<Utc>,
    traceparent: Option<String>,
    attempts: i32,
    refusals: i32,
}

impl TryFrom<Row> for Taken {
    type Error = DbErr;

    fn try_from(row: Row) -> Result<Self, DbErr> {
        let broken = |column: &str| DbErr::Type(format!("webhook_queue: {column} of an event"));
        let event = OrderEvent {
            event_id: row.event_id,
            order_id: row.order_id.try_into().map_err(|_| broken("order_id"))?,
            user_id: row.user_id.try_into().map_err(|_| broken("user_id"))?,
            version: row.version.try_into().map_err(|_| broken("version"))?,
            status: row.status.parse().map_err(|_| broken("status"))?,
            moment: row.moment,
            traceparent: row.traceparent,
        };
        Ok(Self {
            event,
            attempts: row.attempts.try_into().unwrap_or(u32::MAX),
            refusals: row.refusals.try_into().unwrap_or(u32::MAX),
        })
    }
}

/// Takes at most `most` due events until `lease_end`, of each order the lowest version alone.
pub(super) async fn take(
    db: &DatabaseConnection,
    now: DateTime<Utc>,
    lease_end: DateTime<Utc>,
    most: u32,
) -> Result<Vec<Taken>, DbErr> {
    let values: [Value; 3] = [now.into(), lease_end.into(), i64::from(most).into()];
    let rows = db.query_all_raw(statement(include_str!("take.sql"), values));
    let rows = rows.await?;
    let read = |row| Taken::try_from(Row::from_query_result(row, "")?);
    rows.iter().map(read).collect()
}

/// Removes what the receiver took. A lease that ran out matters not: it was taken.
pub(super) async fn remove(db: &DatabaseConnection, taken: &Taken) -> Result<(), DbErr> {
    let sql = "delete from webhook_queue where event_id = $1";
    db.execute_raw(statement(sql, [taken.event.event_id.into()]))
        .await
        .map(drop)
}

/// Gives an event back until `due_at`.
pub(super) async fn give_back(
    db: &DatabaseConnection,
    taken: &Taken,
    refusals: u32,
    due_at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let sql =
        "update webhook_queue set due_at = $3, refusals = $4 where event_id = $1 and attempts = $2";
    let values: [Value; 4] = [
        taken.event.event_id.into(),
        number(taken.attempts),
        due_at.into(),
        number(refusals),
    ];
    db.execute_raw(statement(sql, values)).await.map(drop)
}

/// Moves an event from the queue to the dead letters; whether this courier still had it.
pub(super) async fn park(
    db: &DatabaseConnection,
    topic: &str,
    taken: &Taken,
    reason: &str,
) -> Result<bool, DbErr> {
    let headers = taken.event.headers().into_iter();
    let headers = headers.map(|(name, value)| json!({ "name": name, "value": value }));
    let values: [Value; 7] = [
        taken.event.event_id.into(),
        number(taken.attempts),
        topic.into(),
        taken.event.key().into_bytes().into(),
        taken.event.value().into(),
        serde_json::Value::Array(headers.collect()).into(),
        reason.into(),
    ];
    let done = db.execute_raw(statement(include_str!("park.sql"), values));
    Ok(done.await?.rows_affected() > 0)
}

/// How many events wait for the receiver.
pub(super) async fn measure(db: &DatabaseConnection) -> Result<i64, DbErr> {
    let sql = "select count(*) as waiting from webhook_queue";
    let row = db.query_one_raw(statement(sql, [])).await?;
    row.map_or(Ok(0), |row| row.try_get("", "waiting"))
}

fn number(count: u32) -> Value {
    i32::try_from(count).unwrap_or(i32::MAX).into()
}

fn statement<const N: usize>(sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}
