//! The statements for topics beside that of the order events. Their rows are messages as they are sent.

use chassis::{
    postgres::sql::{Described, Sql},
    row, sql,
};
use chrono::{DateTime, Utc};
use schema::event::header;
use uuid::Uuid;

use super::{AgeRow, EpochRow, PartitionRow};
use crate::relay::row::{Message, Unsent};

row! {
    pub(super) struct UnsentRow {
        id: i64,
        key: String,
        version: i32,
        event_id: Uuid,
        value: String,
        traceparent: Option<String>,
    }
}

/// Ids of rows, when, by partition the offset after the last acknowledged event, and the topic.
type Marks = (Vec<i64>, DateTime<Utc>, Vec<i32>, Vec<i64>, &'static str);

pub(super) static LIST_UNSENT: Sql<(i64, &str, i64), UnsentRow> = sql!("topic_list_unsent.sql");
pub(super) static MARK_SENT: Sql<Marks> = sql!("topic_mark_sent.sql");
pub(super) static UNSENT_AGE: Sql<(&str,), AgeRow> = sql!("topic_unsent_age.sql");
pub(super) static INSERT_EPOCH: Sql<(&str, Uuid)> = sql!("topic_insert_epoch.sql");
pub(super) static LOAD_EPOCH: Sql<(&str,), EpochRow> = sql!("topic_load_epoch.sql");
pub(super) static LIST_PARTITIONS: Sql<(&str,), PartitionRow> = sql!("topic_list_partitions.sql");
pub(super) static REPLACE_EPOCH: Sql<(&str, Uuid, Uuid)> = sql!("topic_replace_epoch.sql");
pub(super) static DELETE_PARTITIONS: Sql<(&str,)> = sql!("topic_delete_partitions.sql");

pub(super) fn statements() -> [&'static dyn Described; 8] {
    [
        &LIST_UNSENT,
        &MARK_SENT,
        &UNSENT_AGE,
        &INSERT_EPOCH,
        &LOAD_EPOCH,
        &LIST_PARTITIONS,
        &REPLACE_EPOCH,
        &DELETE_PARTITIONS,
    ]
}

/// The row as it is sent.
pub(super) fn unsent(row: UnsentRow) -> Result<Unsent, sqlx::Error> {
    let id = row.id;
    let version = u32::try_from(row.version).map_err(|_| super::illegal(id, "version"))?;
    let headers = [
        (header::EVENT_ID, row.event_id.to_string()),
        (header::VERSION, version.to_string()),
    ];
    let message = Message {
        key: row.key,
        version,
        value: row.value.into_bytes(),
        headers: headers.to_vec(),
        traceparent: row.traceparent,
    };
    Ok(Unsent { id, message })
}
