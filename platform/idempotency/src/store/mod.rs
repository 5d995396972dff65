//! The SQL of the keys: claim, load, record, delete.

use std::collections::{HashMap, HashSet};

use chassis::{
    postgres::{
        StoreError,
        sql::{Described, Sql},
        sqlstate, within,
    },
    row, sql,
};
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr};
use serde_json::Value;

use crate::{Call, Error, HeldKeys};

row! {
    /// What names a change.
    struct NameRow {
        user_id: i64,
        operation: String,
        key: String,
    }
}

row! {
    /// What an earlier call stored, with what names it. The response is null only inside the transaction that makes the
    /// change.
    struct StoredRow {
        user_id: i64,
        operation: String,
        key: String,
        fingerprint: String,
        answer: Option<Value>,
    }
}

type Names = (Vec<i64>, Vec<String>, Vec<String>);
type Claims = (
    Vec<i64>,
    Vec<String>,
    Vec<String>,
    Vec<String>,
    DateTime<Utc>,
);
type Responses = (Vec<i64>, Vec<String>, Vec<String>, Vec<String>);

static CLAIM: Sql<Claims, NameRow> = sql!("claim.sql");
static CLAIM_FREE: Sql<Claims, NameRow> = sql!("claim_free.sql");
static LOAD: Sql<Names, StoredRow> = sql!("load.sql");
static RECORD: Sql<Responses> = sql!("record.sql");
static DELETE_BEFORE: Sql<(DateTime<Utc>, i64)> = sql!("delete_before.sql");

/// Every statement of this crate, for the test that holds them against a migrated database.
#[must_use]
pub fn statements() -> Vec<&'static dyn Described> {
    vec![&CLAIM, &CLAIM_FREE, &LOAD, &RECORD, &DELETE_BEFORE]
}

/// What an earlier call stored.
#[derive(Debug)]
pub(crate) struct StoredResponse {
    pub(crate) fingerprint: String,
    pub(crate) response: Value,
}

/// What names a change, as its row has it.
pub(crate) type Name = (i64, String, String);

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
    let delete = DELETE_BEFORE.execute(db, (before, i64::from(limit)));
    Ok(within(db, delete).await?)
}

/// Takes the keys for this transaction and gives those that it got. One that another transaction holds is awaited or passed
/// over.
pub(crate) async fn claim(
    tx: &DatabaseTransaction,
    calls: &[&Call],
    now: DateTime<Utc>,
    held: HeldKeys,
) -> Result<HashSet<Name>, Error> {
    if calls.is_empty() {
        return Ok(HashSet::new());
    }
    let (users, operations, keys) = names(calls);
    let fingerprints = calls.iter().map(|call| call.fingerprint().to_owned());
    let parameters = (users, operations, keys, fingerprints.collect(), now);
    let statement = match held {
        HeldKeys::Awaited => &CLAIM,
        HeldKeys::PassedOver => &CLAIM_FREE,
    };
    match statement.all(tx, parameters).await {
        Ok(rows) => Ok(rows
            .into_iter()
            .map(|row| (row.user_id, row.operation, row.key))
            .collect()),
        Err(error) if waited_too_long(&error) => Err(Error::InFlight(error)),
        Err(error) => Err(error.into()),
    }
}

/// Reads what the first calls stored.
pub(crate) async fn load(
    db: &impl ConnectionTrait,
    calls: &[&Call],
) -> Result<HashMap<Name, StoredResponse>, StoreError> {
    if calls.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = LOAD.all(db, names(calls)).await?;
    let stored = rows.into_iter().map(|row| {
        let response = row
            .answer
            .ok_or_else(|| DbErr::Type("a key was committed without its response".into()))?;
        let stored = StoredResponse {
            fingerprint: row.fingerprint,
            response,
        };
        Ok(((row.user_id, row.operation, row.key), stored))
    });
    stored.collect()
}

/// Writes responses, each as JSON text, beside the keys that this transaction claimed.
pub(crate) async fn record(
    tx: &DatabaseTransaction,
    responses: Vec<(&Call, String)>,
) -> Result<(), Error> {
    if responses.is_empty() {
        return Ok(());
    }
    let (calls, texts): (Vec<&Call>, Vec<String>) = responses.into_iter().unzip();
    let (users, operations, keys) = names(&calls);
    RECORD.execute(tx, (users, operations, keys, texts)).await?;
    Ok(())
}

fn names(calls: &[&Call]) -> Names {
    (
        calls.iter().map(|call| call.user()).collect(),
        calls
            .iter()
            .map(|call| call.operation().to_owned())
            .collect(),
        calls.iter().map(|call| call.key().to_owned()).collect(),
    )
}
