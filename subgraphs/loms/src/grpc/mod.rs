//! The gRPC face: one set of handlers under the names `loms.Loms` and `Loms`, with reflection and health.
//!
//! Clients of this face are trusted to say for whom they call (the compatibility profile), so it listens on loopback
//! unless told otherwise. Every call has a deadline and a place among a bounded number of calls.

mod call;
mod serve;

use ::schema::code::ErrorCode;
use chassis::fault::{self, Coded};

pub(crate) use self::serve::{Server, serve};
use crate::{
    order::{self, Refusal},
    stock,
};

/// A request that breaks the contract's rules, in the words that its clients know.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Invalid(pub(crate) String);

impl Invalid {
    pub(crate) fn not_positive(field: &str) -> Self {
        Self(format!("invalid {field}: value must be greater than 0"))
    }
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("{refusal}")]
    Refused { refusal: Refusal, replayed: bool },
    #[error("no stock is kept for this sku")]
    NoStock,
    #[error(transparent)]
    Order(order::Error),
    #[error(transparent)]
    Stock(stock::Error),
    #[error("the call's time is over")]
    Late,
    #[error("too many calls at once")]
    Busy,
}

impl Coded for Failure {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) => ErrorCode::InvalidArgument,
            Self::Refused { refusal, .. } => refusal.code(),
            Self::NoStock => ErrorCode::NotFound,
            Self::Order(error) => error.code(),
            Self::Stock(error) => error.code(),
            Self::Late => ErrorCode::DeadlineExceeded,
            Self::Busy => ErrorCode::Overloaded,
        }
    }
}

impl From<Failure> for tonic::Status {
    fn from(failure: Failure) -> Self {
        let replayed = matches!(failure, Failure::Refused { replayed: true, .. });
        let mut status = fault::status(failure);
        if replayed {
            call::mark_replayed(status.metadata_mut());
        }
        status
    }
}
