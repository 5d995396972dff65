//! Why a change of a cart did not happen, and what each reason is to a client.

use ::schema::{code::ErrorCode, id::OutOfRange, shortage::Shortage};
use chassis::{fault::Coded, postgres::StoreError};
use idempotency::InvalidKey;
use sea_orm::DbErr;

use super::Refusal;
use crate::loms;

/// Why a change of a cart did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument breaks its bounds.
    #[error(transparent)]
    Invalid(#[from] OutOfRange),
    /// The idempotency key breaks its bounds.
    #[error(transparent)]
    InvalidKey(#[from] InvalidKey),
    /// The rules of the cart refuse it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The idempotency key came before with another input, or its first call has not ended.
    #[error(transparent)]
    Idempotency(#[from] idempotency::Error),
    /// The carts cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The product service cannot be asked.
    #[error(transparent)]
    Product(#[from] catalogue::Error),
    /// The order service cannot be asked.
    #[error(transparent)]
    Loms(#[from] loms::Error),
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Store(error.into())
    }
}

impl Coded for Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::ProductNotFound { .. } => ErrorCode::ProductNotFound,
            Self::OutOfStock(_) => ErrorCode::OutOfStock,
            Self::TooManyUnits { .. } | Self::TooManyLines => ErrorCode::InvalidArgument,
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        Some(input_field(match self {
            Self::ProductNotFound { .. } | Self::TooManyLines => "sku",
            Self::OutOfStock(_) | Self::TooManyUnits { .. } => "count",
        }))
    }

    fn shortage(&self) -> Option<Shortage> {
        match self {
            Self::OutOfStock(short) => Some(*short),
            Self::ProductNotFound { .. } | Self::TooManyUnits { .. } | Self::TooManyLines => None,
        }
    }
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) => ErrorCode::InvalidArgument,
            Self::InvalidKey(invalid) => invalid.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::Idempotency(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Product(error) => error.code(),
            Self::Loms(error) => error.code(),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        match self {
            Self::Invalid(OutOfRange { what }) => Some(input_field(what)),
            Self::InvalidKey(invalid) => invalid.field(),
            Self::Refused(refusal) => refusal.field(),
            Self::Idempotency(idempotency::Error::Reused) => Some(input_field("idempotencyKey")),
            Self::Idempotency(_) | Self::Store(_) | Self::Product(_) | Self::Loms(_) => None,
        }
    }

    fn shortage(&self) -> Option<Shortage> {
        match self {
            Self::Refused(refusal) => refusal.shortage(),
            _ => None,
        }
    }
}

fn input_field(name: &str) -> Vec<String> {
    vec!["input".to_owned(), name.to_owned()]
}
