//! The relay's SQL, all on the session that holds the shard's lock.
//!
//! Whoever lost the lock has lost this connection too, so a relay that was replaced can neither read nor mark.

use chrono::{DateTime, Utc};
use schema::event::OrderEvent;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::publish::Acked;

/// First key of the advisory locks: "outb" in ASCII. The second key is the shard.
const LOCK_CLASS: i32 = 0x6f75_7462;

/// Lets the server notice within seconds that the relay's machine is gone, and free the lock.
const FAIL_FAST: &str = "set tcp_keepalives_idle = 2; set tcp_keepalives_interval = 1; \
                         set tcp_keepalives_count = 3; set tcp_user_timeout = 5000";

/// A committed event that was not acknowledged by the broker yet.
#[derive(Debug, Clone)]
pub(crate) struct Unsent {
    pub(crate) id: i64,
    pub(crate) event: OrderEvent,
}

/// One page of the work list.
#[derive(Debug)]
pub(crate) struct Page {
    /// By id, which is by version within an order.
    pub(crate) rows: Vec<Unsent>,
    /// The highest id read; 0 on an empty page.
    pub(crate) last: i64,
    /// Whether there may be more behind it.
    pub(crate) full: bool,
}

type Row = (
    i64,
    i64,
    i32,
    Uuid,
    i64,
    String,
    DateTime<Utc>,
    Option<String>,
);

/// Makes a dropped peer cost seconds, not the operating system's hours.
pub(crate) async fn fail_fast(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(FAIL_FAST).execute(connection).await.map(drop)
}

/// Takes the shard's lock for this session, or says that another relay has it.
pub(crate) async fn try_lock(
    connection: &mut PgConnection,
    shard: i32,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select pg_try_advisory_lock($1, $2)")
        .bind(LOCK_CLASS)
        .bind(shard)
        .fetch_one(connection)
        .await
}

/// Tells the relays of other processes that there is something to send.
pub(crate) async fn notify(
    connection: &mut PgConnection,
    channel: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_notify($1, '')")
        .bind(channel)
        .execute(connection)
        .await
        .map(drop)
}

/// Reads up to `limit` unsent rows of a shard with ids above `after`.
pub(crate) async fn list_unsent(
    connection: &mut PgConnection,
    shards: i64,
    shard: i64,
    after: i64,
    limit: usize,
) -> Result<Page, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(include_str!("list_unsent.sql"))
        .bind(after)
        .bind(shards)
        .bind(shard)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let (last, full) = (rows.last().map_or(0, |row| row.0), rows.len() >= limit);
    let rows = rows.into_iter().map(unsent).collect::<Result<_, _>>()?;
    Ok(Page { rows, last, full })
}

fn unsent(row: Row) -> Result<Unsent, sqlx::Error> {
    let (id, order_id, version, event_id, user_id, status, moment, traceparent) = row;
    // The table's checks hold the same bounds; a row that breaks them was not written by us.
    let illegal =
        |_| sqlx::Error::Decode(format!("outbox row {id} breaks the table's rules").into());
    let event = OrderEvent {
        event_id,
        order_id: order_id
            .try_into()
            .map_err(|e: schema::id::OutOfRange| illegal(e.to_string()))?,
        user_id: user_id
            .try_into()
            .map_err(|e: schema::id::OutOfRange| illegal(e.to_string()))?,
        version: version
            .try_into()
            .map_err(|e: std::num::TryFromIntError| illegal(e.to_string()))?,
        status: status
            .parse()
            .map_err(|e: schema::event::UnknownStatus| illegal(e.to_string()))?,
        moment,
        traceparent,
    };
    Ok(Unsent { id, event })
}

/// Marks rows as sent and notes how far each partition is.
pub(crate) async fn mark_sent(
    connection: &mut PgConnection,
    acked: &[Acked],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<i64> = acked.iter().map(|acked| acked.id).collect();
    let mut ends = std::collections::BTreeMap::<i32, i64>::new();
    for acked in acked {
        let end = ends.entry(acked.partition).or_default();
        *end = (*end).max(acked.offset + 1);
    }
    let (partitions, offsets): (Vec<i32>, Vec<i64>) = ends.into_iter().unzip();
    sqlx::query(include_str!("mark_sent.sql"))
        .bind(ids)
        .bind(now)
        .bind(partitions)
        .bind(offsets)
        .execute(connection)
        .await
        .map(drop)
}

/// When the oldest unsent row of all shards was written.
pub(crate) async fn oldest_unsent(
    connection: &mut PgConnection,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let oldest = "select created_at from outbox where sent_at is null order by id limit 1";
    sqlx::query_scalar(oldest).fetch_optional(connection).await
}

/// The stream's epoch; `first` becomes it when there is none.
pub(crate) async fn load_epoch(
    connection: &mut PgConnection,
    first: Uuid,
) -> Result<Uuid, sqlx::Error> {
    let insert = "insert into stream_epoch (epoch) values ($1) on conflict do nothing";
    sqlx::query(insert)
        .bind(first)
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar("select epoch from stream_epoch")
        .fetch_one(connection)
        .await
}

/// The offset after the last acknowledged event of each partition.
pub(crate) async fn list_partitions(
    connection: &mut PgConnection,
) -> Result<Vec<(i32, i64)>, sqlx::Error> {
    sqlx::query_as("select partition, next_offset from stream_partition")
        .fetch_all(connection)
        .await
}

/// Begins another epoch, unless another shard's relay did since `old` was read. Answers the current one.
pub(crate) async fn replace_epoch(
    connection: &mut PgConnection,
    old: Uuid,
    new: Uuid,
) -> Result<Uuid, sqlx::Error> {
    let mut tx = connection.begin().await?;
    let update = "update stream_epoch set epoch = $2 where epoch = $1";
    let changed = sqlx::query(update)
        .bind(old)
        .bind(new)
        .execute(&mut *tx)
        .await?;
    if changed.rows_affected() > 0 {
        sqlx::query("delete from stream_partition")
            .execute(&mut *tx)
            .await?;
    }
    let current = sqlx::query_scalar("select epoch from stream_epoch")
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(current)
}
