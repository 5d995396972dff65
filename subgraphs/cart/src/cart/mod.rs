//! Carts: add, remove, clear, find.
//!
//! [`domain`] has the rules, a verb is a use case, [`store`] keeps the lines. Each use case belongs to one user: the
//! owner is an argument of everything here, so nobody's cart can be reached by accident.

pub mod domain;
pub mod store;

mod add_item;
mod clear;
mod find;
pub(crate) mod graphql;
mod remove_item;

use std::sync::Arc;

use ::schema::{
    code::ErrorCode,
    id::{OutOfRange, Sku},
};
use chassis::{fault::Coded, postgres::StoreError};

pub use self::{
    domain::{Cart, Refusal},
    store::Repository,
};
use crate::{
    loms::{self, Loms},
    product::{self, Products},
};

/// Handle to the cart's use cases; cloning shares it.
#[derive(Debug, Clone)]
pub struct Carts {
    repository: Arc<dyn Repository>,
    products: Products,
    loms: Loms,
}

impl Carts {
    /// Puts the use cases on a repository and the two services that they ask.
    #[must_use]
    pub fn new(repository: Arc<dyn Repository>, products: Products, loms: Loms) -> Self {
        Self {
            repository,
            products,
            loms,
        }
    }
}

/// Why a change of a cart did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument breaks its bounds.
    #[error(transparent)]
    Invalid(#[from] OutOfRange),
    /// The rules of the cart refuse it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The catalogue does not know the SKU.
    #[error("sku {sku} is not in the catalogue")]
    ProductNotFound {
        /// What was asked for.
        sku: Sku,
    },
    /// Fewer units are free than this request asks for.
    #[error("sku {sku} has too little free stock")]
    OutOfStock {
        /// What was asked for.
        sku: Sku,
    },
    /// The carts cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The product service cannot be asked.
    #[error(transparent)]
    Product(#[from] product::Error),
    /// The order service cannot be asked.
    #[error(transparent)]
    Loms(#[from] loms::Error),
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_)
            | Self::Refused(Refusal::TooManyUnits { .. } | Refusal::TooManyLines) => {
                ErrorCode::InvalidArgument
            }
            Self::ProductNotFound { .. } => ErrorCode::ProductNotFound,
            Self::OutOfStock { .. } => ErrorCode::OutOfStock,
            Self::Store(error) => error.code(),
            Self::Product(error) => error.code(),
            Self::Loms(error) => error.code(),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        let field = match self {
            Self::Invalid(OutOfRange { what }) => what,
            Self::Refused(Refusal::TooManyUnits { .. }) | Self::OutOfStock { .. } => "count",
            Self::Refused(Refusal::TooManyLines) | Self::ProductNotFound { .. } => "sku",
            Self::Store(_) | Self::Product(_) | Self::Loms(_) => return None,
        };
        Some(vec!["input".to_owned(), field.to_owned()])
    }
}
