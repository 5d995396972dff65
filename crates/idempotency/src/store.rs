//! The SQL of the keys: claim, keep, load, forget.

use chassis::postgres::sqlstate;
use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, FromQueryResult,
    Statement,
};
use serde_json::Value;

use crate::{Call, Error};

/// What an earlier call left.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Kept {
    pub(crate) fingerprint: String,
    pub(crate) answer: Value,
}

/// Takes the key for this transaction. False: an earlier call has it and has committed. Waits while another
/// transaction holds it.
pub(crate) async fn claim(
    tx: &DatabaseTransaction,
    call: &Call,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let statement = sql(
        "insert into idempotency_keys (user_id, operation, key, fingerprint, created_at)
         values ($1, $2, $3, $4, $5) on conflict do nothing",
        [
            call.user().into(),
            call.operation().into(),
            call.key().into(),
            call.fingerprint().into(),
            now.into(),
        ],
    );
    match tx.execute_raw(statement).await {
        Ok(done) => Ok(done.rows_affected() == 1),
        Err(error) if waited_too_long(&error) => Err(Error::InFlight(error)),
        Err(error) => Err(error.into()),
    }
}

/// Statement timeout or lock timeout: the one thing the insert can wait for is the first call.
fn waited_too_long(error: &DbErr) -> bool {
    matches!(sqlstate(error).as_deref(), Some("57014" | "55P03"))
}

/// Keeps the answer beside the key that this transaction claimed.
pub(crate) async fn keep(
    tx: &DatabaseTransaction,
    call: &Call,
    answer: Value,
) -> Result<(), Error> {
    let statement = sql(
        "update idempotency_keys set answer = $4 where user_id = $1 and operation = $2 and key = $3",
        [
            call.user().into(),
            call.operation().into(),
            call.key().into(),
            answer.into(),
        ],
    );
    tx.execute_raw(statement).await?;
    Ok(())
}

/// Reads what the first call left.
pub(crate) async fn load(tx: &DatabaseTransaction, call: &Call) -> Result<Kept, Error> {
    let statement = sql(
        "select fingerprint, answer from idempotency_keys
         where user_id = $1 and operation = $2 and key = $3",
        [
            call.user().into(),
            call.operation().into(),
            call.key().into(),
        ],
    );
    let row = tx.query_one_raw(statement).await?.ok_or_else(|| {
        DbErr::RecordNotFound("the key was forgotten between two statements".into())
    })?;
    Ok(Kept::from_query_result(&row, "")?)
}

/// Removes at most `limit` keys from before `before`, oldest first, and says how many.
///
/// # Errors
/// A failing database.
pub async fn forget_before(
    db: &DatabaseConnection,
    before: DateTime<Utc>,
    limit: u32,
) -> Result<u64, Error> {
    let statement = sql(
        "delete from idempotency_keys where (user_id, operation, key) in (
             select user_id, operation, key from idempotency_keys
             where created_at < $1 order by created_at limit $2 for update skip locked)",
        [before.into(), i64::from(limit).into()],
    );
    Ok(db.execute_raw(statement).await?.rows_affected())
}

fn sql<const N: usize>(text: &str, values: [sea_orm::Value; N]) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, text, values)
}
