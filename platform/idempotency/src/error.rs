//! Why a named change did not run.

use chassis::{fault::Coded, postgres::StoreError};
use schema::code::ErrorCode;
use sea_orm::DbErr;

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
    /// An input or a response cannot be written or read as JSON.
    #[error("a stored response: {0}")]
    Json(#[from] serde_json::Error),
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Reused => ErrorCode::IdempotencyKeyReused,
            Self::InFlight(_) => ErrorCode::IdempotencyKeyInFlight,
            Self::Store(error) => error.code(),
            Self::Json(_) => ErrorCode::Internal,
        }
    }
}

impl Error {
    /// The first call with this key, in another transaction, has not ended.
    #[must_use]
    pub fn held() -> Self {
        Self::InFlight(DbErr::Custom("another transaction has the key".to_owned()))
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Store(StoreError(error))
    }
}
