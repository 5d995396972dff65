//! Checkout: from a cart to an order, over two services, without a transaction across them.
//!
//! An attempt is frozen (lines and prices, under the cart's checkout id), then the order service is asked with that id
//! as its idempotency key, then the attempt is settled: the ordered units leave the cart and the cart gets a new id,
//! in one transaction. A crash at any point leaves an open attempt, which the next checkout takes up again with exactly
//! the same question; so there is one order. `order` is the walk, [`domain`] what is frozen, [`store`] the tables.

pub mod domain;
pub(crate) mod graphql;
mod order;
pub mod store;

use std::sync::Arc;

use ::schema::{code::ErrorCode, id::Sku};
use chassis::{fault::Coded, postgres::StoreError};

pub use self::{
    domain::{Answer, Checkout, Opened},
    store::Repository,
};
use crate::{
    loms::{self, Loms},
    product::{self, Products},
};

/// Handle to the checkout; cloning shares it.
#[derive(Debug, Clone)]
pub struct Checkouts {
    repository: Arc<dyn Repository>,
    products: Products,
    loms: Loms,
}

impl Checkouts {
    /// Puts the checkout on a repository and the two services that it asks.
    #[must_use]
    pub fn new(repository: Arc<dyn Repository>, products: Products, loms: Loms) -> Self {
        Self {
            repository,
            products,
            loms,
        }
    }
}

/// Why a checkout made no order.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to order.
    #[error("the cart is empty")]
    CartEmpty,
    /// A line asks for more than is free; the cart is kept.
    #[error("a line of the cart asks for more than is free")]
    OutOfStock,
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
    Product(#[from] product::Error),
    /// The order service cannot be asked; the order may have been made, and a retry finds it.
    #[error(transparent)]
    Loms(#[from] loms::Error),
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::CartEmpty => ErrorCode::CartEmpty,
            Self::OutOfStock => ErrorCode::OutOfStock,
            Self::ProductNotFound { .. } => ErrorCode::ProductNotFound,
            Self::StalePrice { .. } | Self::CartKeepsChanging { .. } => ErrorCode::Unavailable,
            Self::Store(error) => error.code(),
            Self::Product(error) => error.code(),
            Self::Loms(error) => error.code(),
        }
    }
}
