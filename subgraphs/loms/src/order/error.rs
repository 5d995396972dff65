//! Why a change of an order is refused, and why it fails.

use std::sync::Arc;

use ::schema::{code::ErrorCode, id::Sku, shortage::Shortage};
use chassis::{
    fault::Coded,
    postgres::{self, StoreError},
};
use loms_domain::{order::OrderError, stock::LedgerBroken};
use sea_orm::DbErr;

use super::price::PriceError;
use crate::{retry::Conflict, stock};

/// What a caller can mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Absent, or another buyer's.
    #[error("there is no such order")]
    NotFound,
    /// The rules of orders.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The customer has as many open orders as one may have.
    #[error(
        "you have {limit} orders that await payment, and that is the most: pay or cancel one (setting loms.open_orders_max)"
    )]
    OpenOrders {
        /// The most.
        limit: u32,
    },
    /// The customer would reserve more of a product than one may.
    #[error(
        "you may reserve {limit} units of sku {sku} until you pay: order less, or pay or cancel an order (setting loms.share_percent)"
    )]
    Share {
        /// The product.
        sku: Sku,
        /// The most units.
        limit: i64,
    },
}

impl Coded for Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::OpenOrders { .. } | Self::Share { .. } => ErrorCode::LimitExceeded,
            Self::Order(OrderError::OutOfStock(_)) => ErrorCode::OutOfStock,
            Self::Order(OrderError::NotPayable { .. }) => ErrorCode::OrderNotPayable,
            Self::Order(OrderError::NotCancellable { .. }) => ErrorCode::OrderNotCancellable,
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        let field = match self {
            Self::Order(OrderError::OutOfStock(_))
            | Self::OpenOrders { .. }
            | Self::Share { .. } => "lines",
            Self::NotFound
            | Self::Order(OrderError::NotPayable { .. } | OrderError::NotCancellable { .. }) => {
                "orderId"
            }
        };
        Some(vec!["input".to_owned(), field.to_owned()])
    }

    fn shortage(&self) -> Option<Shortage> {
        match self {
            Self::Order(OrderError::OutOfStock(short)) => Some(*short),
            _ => None,
        }
    }
}

/// Why a use case has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The idempotency key is taken.
    #[error(transparent)]
    Idempotency(#[from] idempotency::Error),
    /// The lines have no price: nothing was stored.
    #[error(transparent)]
    Price(#[from] PriceError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stock cannot be read.
    #[error(transparent)]
    Stock(#[from] stock::Error),
    /// The stock ledger does not add up: an operator has to look at it.
    #[error(transparent)]
    Ledger(#[from] LedgerBroken),
    /// Too many changes wait for their turn.
    #[error("too many changes of orders wait")]
    QueueFull,
    /// What the change wants was locked by others for all of its time.
    #[error("another transaction has locked what the change wants")]
    Locked,
    /// Its turn did not come in time: nothing happened.
    #[error("the turn of a change of orders did not come in time")]
    Late,
    /// The task that runs groups has gone; the change may have happened.
    #[error("the response to a change of orders was lost")]
    ResponseLost,
    /// The fault of a whole group of changes.
    #[error(transparent)]
    Group(Arc<Error>),
    /// A stored row breaks the types.
    #[error("order {id} cannot be read: {what}")]
    Unreadable {
        /// The row.
        id: i64,
        /// The column.
        what: &'static str,
    },
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Idempotency(error) => error.code(),
            Self::Price(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Stock(error) => error.code(),
            Self::QueueFull => ErrorCode::Overloaded,
            Self::ResponseLost | Self::Locked => ErrorCode::Unavailable,
            Self::Late => ErrorCode::DeadlineExceeded,
            Self::Group(error) => error.code(),
            Self::Ledger(_) | Self::Unreadable { .. } => ErrorCode::Internal,
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        match self {
            Self::Idempotency(_) => Some(vec!["input".to_owned(), "idempotencyKey".to_owned()]),
            Self::Group(error) => error.field(),
            Self::Price(error) => error.field(),
            Self::Store(_)
            | Self::Stock(_)
            | Self::Ledger(_)
            | Self::QueueFull
            | Self::Locked
            | Self::Late
            | Self::ResponseLost
            | Self::Unreadable { .. } => None,
        }
    }
}

impl Error {
    /// Whether a row was locked by another transaction for too long.
    pub(super) fn is_lock_wait(&self) -> bool {
        self.store()
            .is_some_and(|error| postgres::is_lock_wait(&error.0))
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
            Self::Stock(error) => error.store(),
            Self::Group(error) => error.store(),
            Self::Idempotency(_)
            | Self::Price(_)
            | Self::Ledger(_)
            | Self::QueueFull
            | Self::Locked
            | Self::Late
            | Self::ResponseLost
            | Self::Unreadable { .. } => None,
        }
    }
}
