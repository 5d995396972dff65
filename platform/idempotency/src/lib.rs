#![doc = include_str!("../README.md")]

mod call;
mod each;
pub mod graphql;
pub mod grpc;
mod store;

use chassis::{fault::Coded, postgres::StoreError};
use chrono::{DateTime, Utc};
use schema::code::ErrorCode;
use sea_orm::{DatabaseTransaction, DbErr};
use serde::{Serialize, de::DeserializeOwned};

pub use crate::{
    call::{BadKey, Call, Key, MAX_KEY},
    each::{Begun, begin_each, keep_each},
    store::{forget_before, start_forgetting},
};

/// How long answers are kept.
pub const RETENTION: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 60 * 60);

/// The metadata and header name in which a caller sends the key.
pub const KEY_HEADER: &str = "idempotency-key";
/// The metadata name that marks a replayed gRPC answer.
pub const REPLAYED_HEADER: &str = "idempotency-replayed";

/// An answer, and whether it is an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered<A> {
    /// What the change answered.
    pub answer: A,
    /// Whether the change happened in an earlier call with the same key.
    pub replayed: bool,
}

/// Why a named change did not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key came before with another input.
    #[error("this idempotency key was used with another input")]
    Reused,
    /// The first call with this key has not ended, and the time to wait for it is over.
    #[error("the first request with this idempotency key has not ended")]
    InFlight(#[source] DbErr),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An answer cannot be written or read as JSON.
    #[error("a stored answer: {0}")]
    Answer(#[from] serde_json::Error),
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Reused => ErrorCode::IdempotencyKeyReused,
            Self::InFlight(_) => ErrorCode::IdempotencyKeyInFlight,
            Self::Store(error) => error.code(),
            Self::Answer(_) => ErrorCode::Internal,
        }
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Store(StoreError(error))
    }
}

/// Runs `work` unless `call` was answered before; without a call it always runs.
///
/// The key's row is the first lock of the transaction, so calls with the same key never deadlock over what they
/// change. `tx` must be at READ COMMITTED: after waiting, the first call's answer has to be visible.
///
/// # Errors
/// [`Error::Reused`], [`Error::InFlight`], a failing database, or whatever `work` gives. The caller must then roll
/// `tx` back, and nothing is kept.
///
/// # Cancel safety
/// Dropping the future before the commit keeps nothing.
pub async fn once<A, E, W>(
    tx: &DatabaseTransaction,
    call: Option<&Call>,
    now: DateTime<Utc>,
    work: W,
) -> Result<Answered<A>, E>
where
    A: Serialize + DeserializeOwned,
    E: From<Error>,
    W: AsyncFnOnce() -> Result<A, E>,
{
    let mut begun = each::begin_each(tx, &[call], now).await?;
    match begun.pop() {
        Some(Begun::Run) => {}
        Some(Begun::Replay(answer)) => {
            return Ok(Answered {
                answer,
                replayed: true,
            });
        }
        Some(Begun::Reused) => return Err(Error::Reused.into()),
        Some(Begun::Later) | None => unreachable!("a call alone waits for no other"),
    }
    let answer = work().await?;
    if let Some(call) = call {
        each::keep_each(tx, &[(call, &answer)]).await?;
    }
    Ok(Answered {
        answer,
        replayed: false,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_database_has_this_crates_table() {
        let ours = include_str!("../sql/idempotency.up.sql");
        assert_eq!(
            include_str!("../../../migrations/loms/0003_idempotency.up.sql"),
            ours
        );
        assert_eq!(
            include_str!("../../../migrations/comments/0002_idempotency_keys.up.sql"),
            ours
        );
    }
}
