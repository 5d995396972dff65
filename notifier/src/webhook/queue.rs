//! The queue's SQL. Every change of a row names the attempt it belongs to, so one that lost its lease changes nothing.

use chassis::{
    postgres::{
        DatabaseConnection,
        sql::{Described, Sql},
        within,
    },
    row, sql,
};
use chrono::{DateTime, Utc};
use schema::event::OrderEvent;
use sea_orm::{
    ColumnTrait as _, DbErr, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    sea_query::Expr,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::entity::webhook_queue;

/// An event that a dispatcher holds until its lease ends.
#[derive(Debug, Clone)]
pub(super) struct Leased {
    pub(super) event: OrderEvent,
    /// Requests, the next one included.
    pub(super) attempts: u32,
    /// Refusals so far.
    pub(super) refusals: u32,
}

row! {
    pub(super) struct LeasedRow {
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
}

impl TryFrom<LeasedRow> for Leased {
    type Error = DbErr;

    fn try_from(row: LeasedRow) -> Result<Self, DbErr> {
        let broken = |column: &str| DbErr::Type(format!("webhook_queue: {column} of an event"));
        let event = OrderEvent {
            event_id: row.event_id,
            order_id: row.order_id.try_into().map_err(|_| broken("order_id"))?,
            user_id: row.user_id.try_into().map_err(|_| broken("user_id"))?,
            version: row.version.try_into().map_err(|_| broken("version"))?,
            status: row.status.parse().map_err(|_| broken("status"))?,
            moment: row.moment,
            skus: Vec::new(),
            traceparent: row.traceparent,
        };
        Ok(Self {
            event,
            attempts: row.attempts.try_into().unwrap_or(u32::MAX),
            refusals: row.refusals.try_into().unwrap_or(u32::MAX),
        })
    }
}

/// Now, the end of the lease, and how many.
static LEASE: Sql<(DateTime<Utc>, DateTime<Utc>, i64), LeasedRow> = sql!("lease.sql");
static PARK: Sql<Parked> = sql!("park.sql");

/// Event and attempt, then what the dead letter has: topic, key, value, headers and reason.
type Parked = (Uuid, i32, String, Vec<u8>, Vec<u8>, Value, String);

pub(crate) fn statements() -> [&'static dyn Described; 2] {
    [&LEASE, &PARK]
}

/// Takes at most `limit` due events until `lease_end`, of each order the lowest version alone.
pub(super) async fn lease(
    db: &DatabaseConnection,
    now: DateTime<Utc>,
    lease_end: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<Leased>, DbErr> {
    let rows = within(db, LEASE.all(db, (now, lease_end, limit.into()))).await?;
    rows.into_iter().map(Leased::try_from).collect()
}

/// Removes what the receiver accepted, also when the lease has ended: it was accepted.
pub(super) async fn remove(db: &DatabaseConnection, leased: &Leased) -> Result<(), DbErr> {
    let event = leased.event.event_id;
    within(db, webhook_queue::Entity::delete_by_id(event).exec(db)).await?;
    Ok(())
}

/// Gives an event back until `due_at`.
pub(super) async fn release(
    db: &DatabaseConnection,
    leased: &Leased,
    refusals: u32,
    due_at: DateTime<Utc>,
) -> Result<(), DbErr> {
    use webhook_queue::Column;
    let release = webhook_queue::Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(due_at))
        .col_expr(Column::Refusals, Expr::value(number(refusals)))
        .filter(Column::EventId.eq(leased.event.event_id))
        .filter(Column::Attempts.eq(number(leased.attempts)))
        .exec(db);
    within(db, release).await?;
    Ok(())
}

/// Moves an event from the queue to the dead letters; whether this dispatcher still had it.
pub(super) async fn park(
    db: &DatabaseConnection,
    topic: &str,
    leased: &Leased,
    reason: &str,
) -> Result<bool, DbErr> {
    let event = &leased.event;
    let headers = event.headers().into_iter();
    let headers = headers.map(|(name, value)| json!({ "name": name, "value": value }));
    let parameters = (
        event.event_id,
        number(leased.attempts),
        topic.to_owned(),
        event.key().into_bytes(),
        event.value(),
        Value::Array(headers.collect()),
        reason.to_owned(),
    );
    Ok(within(db, PARK.execute(db, parameters)).await? > 0)
}

/// How many events wait for the receiver.
pub(super) async fn count(db: &DatabaseConnection) -> Result<u64, DbErr> {
    within(db, webhook_queue::Entity::find().count(db)).await
}

fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
