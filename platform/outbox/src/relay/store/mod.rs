//! The relay's SQL, all on the session that holds the line's lock.
//!
//! Whoever lost the lock has lost this connection too, so a relay that was replaced can neither read nor mark.

mod topic;

use std::{collections::BTreeMap, time::Duration};

use chassis::{
    postgres::{
        DISK_FULL,
        sql::{Described, Sql},
    },
    row, sql,
};
use chrono::{DateTime, Utc};
use schema::event::OrderEvent;
use sea_orm::{FromQueryResult, QueryResult};
use sqlx::{Connection as _, PgConnection, postgres::PgRow};
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    line::Line,
    row::{Acked, Message, Unsent},
};

row! {
    struct UnsentRow {
        id: i64,
        order_id: i64,
        version: i32,
        event_id: Uuid,
        user_id: i64,
        status: String,
        moment: DateTime<Utc>,
        skus: String,
        traceparent: Option<String>,
    }
}
row! {
    struct LockRow {
        is_locked: bool,
    }
}
row! {
    struct AgeRow {
        milliseconds: i64,
    }
}
row! {
    struct EndedRow {
        is_ended: bool,
    }
}
row! {
    struct EpochRow {
        epoch: Uuid,
    }
}
row! {
    struct PartitionRow {
        partition: i32,
        next_offset: i64,
    }
}

/// Ids of rows, when, and by partition the offset after the last acknowledged event.
type Marks = (Vec<i64>, DateTime<Utc>, Vec<i32>, Vec<i64>);

static FAIL_FAST: Sql<()> = sql!("fail_fast.sql");
static TRY_LOCK: Sql<(i32, i32), LockRow> = sql!("try_lock.sql");
static NOTIFY: Sql<(&str,)> = sql!("notify.sql");
static LIST_UNSENT: Sql<(i64, i64, i64, i64), UnsentRow> = sql!("list_unsent.sql");
static MARK_SENT: Sql<Marks> = sql!("mark_sent.sql");
static UNSENT_AGE: Sql<(), AgeRow> = sql!("unsent_age.sql");
static END_SENDER: Sql<(i32, i32, i64), EndedRow> = sql!("end_sender.sql");
static INSERT_EPOCH: Sql<(Uuid,)> = sql!("insert_epoch.sql");
static LOAD_EPOCH: Sql<(), EpochRow> = sql!("load_epoch.sql");
static LIST_PARTITIONS: Sql<(), PartitionRow> = sql!("list_partitions.sql");
static REPLACE_EPOCH: Sql<(Uuid, Uuid)> = sql!("replace_epoch.sql");
static DELETE_PARTITIONS: Sql<()> = sql!("delete_partitions.sql");

pub(crate) fn statements() -> Vec<&'static dyn Described> {
    let mut all: Vec<&dyn Described> = vec![
        &FAIL_FAST,
        &TRY_LOCK,
        &NOTIFY,
        &LIST_UNSENT,
        &MARK_SENT,
        &UNSENT_AGE,
        &END_SENDER,
        &INSERT_EPOCH,
        &LOAD_EPOCH,
        &LIST_PARTITIONS,
        &REPLACE_EPOCH,
        &DELETE_PARTITIONS,
    ];
    all.extend(topic::statements());
    all
}

/// How long the server may take for one statement: a second more than `postgres.statement_timeout` by default lets it.
const LONGEST_ANSWER: Duration = Duration::from_secs(11);

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

/// Whether a statement was refused for want of room.
pub(crate) fn is_disk_full(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some(DISK_FULL)
}

/// Makes a dropped peer cost seconds, not the operating system's hours.
pub(crate) async fn fail_fast(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let set = sqlx::query(FAIL_FAST.text()).execute(connection);
    answer(set).await.map(drop)
}

/// Takes the line's lock for this session, or says that another relay has it.
pub(crate) async fn try_lock(
    connection: &mut PgConnection,
    line: Line,
) -> Result<bool, sqlx::Error> {
    let (class, key) = line.lock();
    let lock = sqlx::query(TRY_LOCK.text()).bind(class).bind(key);
    let row: LockRow = read(answer(lock.fetch_one(connection)).await?)?;
    Ok(row.is_locked)
}

/// Tells the relays of other processes that there is something to send.
pub(crate) async fn notify(
    connection: &mut PgConnection,
    channel: &str,
) -> Result<(), sqlx::Error> {
    let notify = sqlx::query(NOTIFY.text()).bind(channel);
    answer(notify.execute(connection)).await.map(drop)
}

/// Reads up to `limit` unsent rows of a line with ids above `after`.
pub(crate) async fn list_unsent(
    connection: &mut PgConnection,
    line: Line,
    after: i64,
    limit: usize,
) -> Result<Page, sqlx::Error> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let list = match line {
        Line::Orders(shard) => {
            let list = sqlx::query(LIST_UNSENT.text()).bind(after);
            list.bind(i64::from(shard.of)).bind(i64::from(shard.number))
        }
        Line::Topic(name) => sqlx::query(topic::LIST_UNSENT.text())
            .bind(after)
            .bind(name),
    };
    let rows = answer(list.bind(most).fetch_all(connection)).await?;
    let rows = rows.into_iter().map(|row| match line {
        Line::Orders(_) => read(row).and_then(unsent),
        Line::Topic(_) => read(row).and_then(topic::unsent),
    });
    let rows: Vec<Unsent> = rows.collect::<Result<_, _>>()?;
    let (last, full) = (rows.last().map_or(0, |row| row.id), rows.len() >= limit);
    Ok(Page { rows, last, full })
}

/// The table's checks hold the same bounds; a row that breaks them was not written by us.
fn illegal(id: i64, what: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("outbox row {id} breaks the table's rules: {what}").into())
}

fn unsent(row: UnsentRow) -> Result<Unsent, sqlx::Error> {
    let id = row.id;
    let illegal = |what| illegal(id, what);
    let event = OrderEvent {
        event_id: row.event_id,
        order_id: row.order_id.try_into().map_err(|_| illegal("order_id"))?,
        user_id: row.user_id.try_into().map_err(|_| illegal("user_id"))?,
        version: row.version.try_into().map_err(|_| illegal("version"))?,
        status: row.status.parse().map_err(|_| illegal("status"))?,
        moment: row.moment,
        skus: OrderEvent::skus_of(&row.skus).ok_or_else(|| illegal("skus"))?,
        traceparent: row.traceparent,
    };
    Ok(Unsent {
        id,
        message: Message::of(event),
    })
}

/// Marks rows as sent and notes how far each partition is.
pub(crate) async fn mark_sent(
    connection: &mut PgConnection,
    line: Line,
    acked: &[Acked],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<i64> = acked.iter().map(|acked| acked.id).collect();
    let mut ends = BTreeMap::<i32, i64>::new();
    for acked in acked {
        let end = ends.entry(acked.partition).or_default();
        *end = (*end).max(acked.offset + 1);
    }
    let (partitions, offsets): (Vec<i32>, Vec<i64>) = ends.into_iter().unzip();
    let mark = match line {
        Line::Orders(_) => sqlx::query(MARK_SENT.text()),
        Line::Topic(_) => sqlx::query(topic::MARK_SENT.text()),
    };
    let mark = mark.bind(ids).bind(now).bind(partitions).bind(offsets);
    let mark = match line {
        Line::Orders(_) => mark,
        Line::Topic(name) => mark.bind(name),
    };
    answer(mark.execute(connection)).await.map(drop)
}

/// For how long the oldest unsent row of the topic, of all shards, has waited; zero when all are sent.
pub(crate) async fn unsent_age(
    connection: &mut PgConnection,
    line: Line,
) -> Result<Duration, sqlx::Error> {
    let age = match line {
        Line::Orders(_) => sqlx::query(UNSENT_AGE.text()),
        Line::Topic(name) => sqlx::query(topic::UNSENT_AGE.text()).bind(name),
    };
    let row: Option<AgeRow> = answer(age.fetch_optional(connection))
        .await?
        .map(read)
        .transpose()?;
    let age = row.map_or(0, |row| row.milliseconds.max(0).unsigned_abs());
    Ok(Duration::from_millis(age))
}

/// Ends the session that holds the line's lock if it has asked for nothing for `limit`; says whether it did.
pub(crate) async fn end_sender(
    connection: &mut PgConnection,
    line: Line,
    limit: Duration,
) -> Result<bool, sqlx::Error> {
    let limit = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
    let (class, key) = line.lock();
    let end = sqlx::query(END_SENDER.text()).bind(class).bind(key);
    let ended = answer(end.bind(limit).fetch_optional(connection)).await?;
    let row: Option<EndedRow> = ended.map(read).transpose()?;
    Ok(row.is_some_and(|row| row.is_ended))
}

/// The stream's epoch; `first` becomes it when there is none.
pub(crate) async fn load_epoch(
    connection: &mut PgConnection,
    line: Line,
    first: Uuid,
) -> Result<Uuid, sqlx::Error> {
    let insert = match line {
        Line::Orders(_) => sqlx::query(INSERT_EPOCH.text()),
        Line::Topic(name) => sqlx::query(topic::INSERT_EPOCH.text()).bind(name),
    };
    answer(insert.bind(first).execute(&mut *connection)).await?;
    current_epoch(connection, line).await
}

async fn current_epoch(connection: &mut PgConnection, line: Line) -> Result<Uuid, sqlx::Error> {
    let load = match line {
        Line::Orders(_) => sqlx::query(LOAD_EPOCH.text()),
        Line::Topic(name) => sqlx::query(topic::LOAD_EPOCH.text()).bind(name),
    };
    let row: EpochRow = read(answer(load.fetch_one(connection)).await?)?;
    Ok(row.epoch)
}

/// The offset after the last acknowledged event of each partition.
pub(crate) async fn list_partitions(
    connection: &mut PgConnection,
    line: Line,
) -> Result<Vec<(i32, i64)>, sqlx::Error> {
    let list = match line {
        Line::Orders(_) => sqlx::query(LIST_PARTITIONS.text()),
        Line::Topic(name) => sqlx::query(topic::LIST_PARTITIONS.text()).bind(name),
    };
    let rows = answer(list.fetch_all(connection)).await?;
    let rows = rows.into_iter().map(|row| {
        let row: PartitionRow = read(row)?;
        Ok((row.partition, row.next_offset))
    });
    rows.collect()
}

/// Begins another epoch, unless another relay of the topic did since `old` was read. Gives the current one.
pub(crate) async fn replace_epoch(
    connection: &mut PgConnection,
    line: Line,
    old: Uuid,
    new: Uuid,
) -> Result<Uuid, sqlx::Error> {
    answer(try_replace_epoch(connection, line, old, new)).await
}

async fn try_replace_epoch(
    connection: &mut PgConnection,
    line: Line,
    old: Uuid,
    new: Uuid,
) -> Result<Uuid, sqlx::Error> {
    let (replace, delete) = match line {
        Line::Orders(_) => (
            sqlx::query(REPLACE_EPOCH.text()),
            sqlx::query(DELETE_PARTITIONS.text()),
        ),
        Line::Topic(name) => (
            sqlx::query(topic::REPLACE_EPOCH.text()).bind(name),
            sqlx::query(topic::DELETE_PARTITIONS.text()).bind(name),
        ),
    };
    let mut tx = connection.begin().await?;
    let replaced = replace.bind(old).bind(new).execute(&mut *tx).await?;
    if replaced.rows_affected() > 0 {
        delete.execute(&mut *tx).await?;
    }
    let current = current_epoch(&mut tx, line).await?;
    tx.commit().await?;
    Ok(current)
}

/// Waits for the server, but not without end: a session that stands still is given up, and the lock with it.
async fn answer<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let late = |_| sqlx::Error::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    timeout(LONGEST_ANSWER, asked).await.map_err(late)?
}

/// Reads a typed row from one of the session's, which is not SeaORM's.
fn read<R: FromQueryResult>(row: PgRow) -> Result<R, sqlx::Error> {
    let row = QueryResult::from(row);
    R::from_query_result(&row, "").map_err(|error| sqlx::Error::Decode(error.into()))
}
