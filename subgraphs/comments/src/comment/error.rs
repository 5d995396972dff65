//! Why a use case of comments failed, and what each reason is to a client.

use chassis::{fault::Coded, postgres::StoreError};
use idempotency::InvalidKey;
use schema::code::ErrorCode;
use sea_orm::DbErr;

use super::CommentError;

/// Why a use case of comments failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rules refuse it: nothing happened.
    #[error(transparent)]
    Refused(#[from] CommentError),
    /// The idempotency key breaks its bounds.
    #[error(transparent)]
    InvalidKey(#[from] InvalidKey),
    /// The idempotency key came before with another input, or its first call has not ended.
    #[error(transparent)]
    Idempotency(#[from] idempotency::Error),
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Store(error.into())
    }
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::InvalidKey(invalid) => invalid.code(),
            Self::Idempotency(error) => error.code(),
            Self::Store(fault) => fault.code(),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        match self {
            Self::Refused(refusal) => refusal.field(),
            Self::InvalidKey(invalid) => invalid.field(),
            Self::Idempotency(error) => error.field(),
            Self::Store(fault) => fault.field(),
        }
    }
}
