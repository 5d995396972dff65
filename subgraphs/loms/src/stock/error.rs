//! Why the stock cannot be read or set.

use ::schema::code::ErrorCode;
use chassis::{fault::Coded, postgres::StoreError};
use loms_domain::stock::SetTotalError;
use sea_orm::DbErr;

use crate::retry::Conflict;

/// Why the stock cannot be read or set.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The total cannot be set.
    #[error(transparent)]
    Set(#[from] SetTotalError),
    /// The idempotency key is taken.
    #[error(transparent)]
    Idempotency(#[from] idempotency::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored row breaks the ledger's types.
    #[error("a stock row with sku {sku} cannot be read")]
    Unreadable {
        /// The row.
        sku: i64,
    },
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Set(SetTotalError::OutOfRange | SetTotalError::BelowReserved { .. }) => {
                ErrorCode::InvalidArgument
            }
            Self::Set(SetTotalError::Stale { .. }) => ErrorCode::StaleStock,
            Self::Idempotency(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Unreadable { .. } => ErrorCode::Internal,
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        let field = match self {
            Self::Set(SetTotalError::OutOfRange | SetTotalError::BelowReserved { .. }) => "total",
            Self::Set(SetTotalError::Stale { .. }) => "expectedTotal",
            Self::Idempotency(_) => "idempotencyKey",
            Self::Store(_) | Self::Unreadable { .. } => return None,
        };
        Some(vec!["input".to_owned(), field.to_owned()])
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Store(StoreError(error))
    }
}

impl Conflict for Error {
    fn store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Idempotency(idempotency::Error::Store(error)) => Some(error),
            Self::Set(_) | Self::Idempotency(_) | Self::Unreadable { .. } => None,
        }
    }
}
