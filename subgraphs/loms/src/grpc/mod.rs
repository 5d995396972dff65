//! gRPC: one set of handlers under the names `loms.Loms` and `Loms`, with reflection and health.
//!
//! A caller proves who it is by a token: a user acts as itself, a service for whom it names. Clients of the compatibility profile
//! have none and are believed, on loopback or where a setting says so. Every call has a deadline and a place among a bounded
//! number of calls.

mod serve;

use ::schema::{code::ErrorCode, shortage::SHORTAGE_METADATA};
pub(crate) use chassis::grpc::Invalid;
use chassis::{
    fault::{self, Coded},
    principal::Denied,
};

use tonic::metadata::MetadataValue;

pub(crate) use self::serve::{Server, listen, serve};
use crate::{
    order::{self, Refusal},
    order_events, stock,
};

/// Metadata of a refusal: its code of docs/errors.md, where gRPC's own does not tell.
const REFUSAL_METADATA: &str = "x-refusal";

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("{refusal}")]
    Refused { refusal: Refusal, replayed: bool },
    #[error(transparent)]
    Denied(Denied),
    /// Over a limit of the customer's: to the cart of the version before it is short of stock, to others see
    /// [`REFUSAL_METADATA`].
    #[error("{refusal}")]
    OverLimit { refusal: Refusal, replayed: bool },
    #[error("no stock is kept for this sku")]
    NoStock,
    #[error(transparent)]
    Order(order::Error),
    #[error(transparent)]
    Stock(stock::Error),
    #[error(transparent)]
    Events(order_events::Error),
}

impl Coded for Failure {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(error) => error.code(),
            Self::Refused { refusal, .. } => refusal.code(),
            Self::Denied(denied) => denied.code(),
            Self::OverLimit { .. } => ErrorCode::OutOfStock,
            Self::NoStock => ErrorCode::NotFound,
            Self::Order(error) => error.code(),
            Self::Stock(error) => error.code(),
            Self::Events(error) => error.code(),
        }
    }
}

impl From<Failure> for tonic::Status {
    fn from(failure: Failure) -> Self {
        let (replayed, refusal) = match &failure {
            Failure::OverLimit { refusal, replayed } => (*replayed, Some(refusal.code())),
            Failure::Refused { replayed, .. } => (*replayed, None),
            _ => (false, None),
        };
        let shortage = match &failure {
            Failure::Refused { refusal, .. } => refusal.shortage(),
            _ => None,
        };
        let mut status = fault::status(failure);
        if let Some(code) = refusal {
            let name = MetadataValue::from_static(code.as_str());
            status.metadata_mut().insert(REFUSAL_METADATA, name);
        }
        // Digits and commas are always a value.
        if let Some(Ok(short)) = shortage.map(|short| MetadataValue::try_from(short.text())) {
            status.metadata_mut().insert(SHORTAGE_METADATA, short);
        }
        if replayed {
            idempotency::grpc::mark_replayed(status.metadata_mut());
        }
        status
    }
}
