//! The SQL of the keys: claim, load, record, delete.

use std::collections::{HashMap, HashSet};

use chassis::postgres::{StoreError, sqlstate};
use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, FromQueryResult,
    Statement,
};
use serde_json::Value;

use crate::{Call, Error};

/// What an earlier call stored.
#[derive(Debug)]
pub(crate) struct StoredResponse {
    pub(crate) fingerprint: String,
    pub(crate) response: Value,
}

/// Statement timeout or lock timeout: the one thing the insert can wait for is the first call.
fn waited_too_long(error: &DbErr) -> bool {
    matches!(sqlstate(error).as_deref(), Some("57014" | "55P03"))
}

/// Deletes at most `limit` keys from before `before`, oldest first, and says how many.
///
/// # Errors
/// A failing database.
pub async fn delete_before(
    db: &DatabaseConnection,
    before: DateTime<Utc>,
    limit: u32,
) -> Result<u64, StoreError> {
    let statement = sql(
        "delete from idempotency_keys where (user_id, operation, key) in (
             select user_id, operation, key from idempotency_keys
             where created_at < $1 order by created_at limit $2 for update skip locked)",
        [before.into(), i64::from(limit).into()],
    );
    Ok(db.execute_raw(statement).await?.rows_affected())
}

/// The name of a change, as its row has it.
pub(crate) type Name = (i64, String, String);

#[derive(Debug, FromQueryResult)]
struct NameRow {
    user_id: i64,
    operation: String,
    key: String,
}

#[derive(Debug, FromQueryResult)]
struct StoredRow {
    user_id: i64,
    operation: String,
    key: String,
    fingerprint: String,
    answer: Value,
}

fn column<T>(calls: &[&Call], read: impl Fn(&Call) -> T) -> sea_orm::Value
where
    Vec<T>: Into<sea_orm::Value>,
{
    calls
        .iter()
        .map(|call| read(call))
        .collect::<Vec<T>>()
        .into()
}

fn names(calls: &[&Call]) -> [sea_orm::Value; 3] {
    [
        column(calls, Call::user),
        column(calls, |call| call.operation().to_owned()),
        column(calls, |call| call.key().to_owned()),
    ]
}

/// Takes the keys for this transaction and gives those that it got. Waits while another transaction holds one.
pub(crate) async fn claim(
    tx: &DatabaseTransaction,
    calls: &[&Call],
    now: DateTime<Utc>,
) -> Result<HashSet<Name>, Error> {
    if calls.is_empty() {
        return Ok(HashSet::new());
    }
    let [users, operations, keys] = names(calls);
    let fingerprints = column(calls, |call| call.fingerprint().to_owned());
    let statement = sql(
        "insert into idempotency_keys (user_id, operation, key, fingerprint, created_at)
         select user_id, operation, key, fingerprint, $5
         from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) as call (user_id, operation, key, fingerprint)
         order by user_id, operation, key
         on conflict do nothing
         returning user_id, operation, key",
        [users, operations, keys, fingerprints, now.into()],
    );
    let rows = match tx.query_all_raw(statement).await {
        Ok(rows) => rows,
        Err(error) if waited_too_long(&error) => return Err(Error::InFlight(error)),
        Err(error) => return Err(error.into()),
    };
    let read = |row| {
        let row = NameRow::from_query_result(row, "")?;
        Ok((row.user_id, row.operation, row.key))
    };
    rows.iter().map(read).collect()
}

/// Reads what the first calls stored.
pub(crate) async fn load(
    db: &impl ConnectionTrait,
    calls: &[&Call],
) -> Result<HashMap<Name, StoredResponse>, StoreError> {
    if calls.is_empty() {
        return Ok(HashMap::new());
    }
    let statement = sql(
        "select user_id, operation, key, fingerprint, answer
         from unnest($1::bigint[], $2::text[], $3::text[]) as call (user_id, operation, key)
         join idempotency_keys using (user_id, operation, key)",
        names(calls),
    );
    let read = |row| {
        let row = StoredRow::from_query_result(row, "")?;
        let stored = StoredResponse {
            fingerprint: row.fingerprint,
            response: row.answer,
        };
        Ok(((row.user_id, row.operation, row.key), stored))
    };
    db.query_all_raw(statement)
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Writes responses, each as JSON text, beside the keys that this transaction claimed.
pub(crate) async fn record(
    tx: &DatabaseTransaction,
    responses: &[(&Call, String)],
) -> Result<(), Error> {
    if responses.is_empty() {
        return Ok(());
    }
    let calls: Vec<&Call> = responses.iter().map(|(call, _)| *call).collect();
    let [users, operations, keys] = names(&calls);
    let texts: Vec<String> = responses.iter().map(|(_, text)| text.clone()).collect();
    let statement = sql(
        "update idempotency_keys as stored set answer = call.answer::jsonb
         from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) as call (user_id, operation, key, answer)
         where (stored.user_id, stored.operation, stored.key) = (call.user_id, call.operation, call.key)",
        [users, operations, keys, texts.into()],
    );
    tx.execute_raw(statement).await?;
    Ok(())
}

fn sql<const N: usize>(text: &str, values: [sea_orm::Value; N]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, text, values)
}
