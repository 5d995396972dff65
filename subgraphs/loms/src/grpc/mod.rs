//! gRPC: one set of handlers under the names `loms.Loms` and `Loms`, with reflection and health.
//!
//! A caller proves who it is by a token: a user acts as itself, a service for whom it names. Clients of the compatibility profile
//! have none and are believed, on loopback or where a setting says so. Every call has a deadline and a place among a bounded
//! number of calls.

mod serve;

use ::schema::code::ErrorCode;
pub(crate) use chassis::grpc::Invalid;
use chassis::{
    fault::{self, Coded},
    principal::Denied,
};

pub(crate) use self::serve::{Server, listen, serve};
use crate::{
    order::{self, Refusal},
    stock,
};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("{refusal}")]
    Refused { refusal: Refusal, replayed: bool },
    #[error(transparent)]
    Denied(Denied),
    #[error("a line asks for more than is free for this customer")]
    NotFree,
    #[error("no stock is kept for this sku")]
    NoStock,
    #[error(transparent)]
    Order(order::Error),
    #[error(transparent)]
    Stock(stock::Error),
}

impl Coded for Failure {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(error) => error.code(),
            Self::Refused { refusal, .. } => refusal.code(),
            Self::Denied(denied) => denied.code(),
            Self::NotFree => ErrorCode::OutOfStock,
            Self::NoStock => ErrorCode::NotFound,
            Self::Order(error) => error.code(),
            Self::Stock(error) => error.code(),
        }
    }
}

impl From<Failure> for tonic::Status {
    fn from(failure: Failure) -> Self {
        let replayed = matches!(failure, Failure::Refused { replayed: true, .. });
        let mut status = fault::status(failure);
        if replayed {
            idempotency::grpc::mark_replayed(status.metadata_mut());
        }
        status
    }
}
