//! Why a checkout made no order, and what each reason is to a client.

use ::schema::{
    code::ErrorCode,
    id::{OrderId, Sku},
    shortage::Shortage,
};
use chassis::{fault::Coded, postgres::StoreError};
use idempotency::InvalidKey;

use super::Outcome;
use crate::loms;

/// Why a checkout made no order.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The idempotency key breaks its bounds.
    #[error(transparent)]
    InvalidKey(#[from] InvalidKey),
    /// There is nothing to order.
    #[error("the cart is empty")]
    CartEmpty,
    /// A line asks for more than is free; the cart is kept.
    #[error("a line of the cart asks for more than is free{}", said(*.0))]
    OutOfStock(
        /// Of which product, where that is known.
        Option<Shortage>,
    ),
    /// A limit of the customer's own was reached; the cart is kept.
    #[error("{why}")]
    OverLimit {
        /// Which, and what would pass.
        why: String,
    },
    /// A product has left the catalogue since it was added; the cart is kept.
    #[error("sku {sku} is not in the catalogue any more")]
    ProductNotFound {
        /// The line that has no price.
        sku: Sku,
    },
    /// A line's price is from before the product service went out of reach: good enough to read, not to order at.
    #[error("sku {sku} has no price of today")]
    StalePrice {
        /// The line.
        sku: Sku,
    },
    /// The cart changed each time between reading its prices and freezing it.
    #[error("the cart changed {rounds} times while its prices were read")]
    CartKeepsChanging {
        /// How often.
        rounds: u32,
    },
    /// The carts cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The product service cannot be asked.
    #[error(transparent)]
    Product(#[from] catalogue::Error),
    /// The order service cannot be asked; the order may have been made, and a retry finds it.
    #[error(transparent)]
    Loms(#[from] loms::Error),
}

fn said(short: Option<Shortage>) -> String {
    short.map_or_else(String::new, |short| format!(": {short}"))
}

impl Outcome {
    /// The order that was made.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn order(self) -> Result<OrderId, Error> {
        match self {
            Self::Ordered(order) => Ok(order),
            Self::OutOfStock(short) => Err(Error::OutOfStock(short)),
            Self::OverLimit { why } => Err(Error::OverLimit { why }),
            Self::CartEmpty => Err(Error::CartEmpty),
        }
    }
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::InvalidKey(invalid) => invalid.code(),
            Self::CartEmpty => ErrorCode::CartEmpty,
            Self::OutOfStock(_) => ErrorCode::OutOfStock,
            Self::OverLimit { .. } => ErrorCode::LimitExceeded,
            Self::ProductNotFound { .. } => ErrorCode::ProductNotFound,
            Self::StalePrice { .. } | Self::CartKeepsChanging { .. } => ErrorCode::Unavailable,
            Self::Store(error) => error.code(),
            Self::Product(error) => error.code(),
            Self::Loms(error) => error.code(),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        match self {
            Self::InvalidKey(invalid) => invalid.field(),
            Self::CartEmpty
            | Self::OutOfStock(_)
            | Self::OverLimit { .. }
            | Self::ProductNotFound { .. }
            | Self::StalePrice { .. }
            | Self::CartKeepsChanging { .. }
            | Self::Store(_)
            | Self::Product(_)
            | Self::Loms(_) => None,
        }
    }

    fn shortage(&self) -> Option<Shortage> {
        match self {
            Self::OutOfStock(short) => *short,
            _ => None,
        }
    }
}
