//! Carts: add, remove, clear, find.
//!
//! [`domain`] has the rules, a verb is a use case, [`store`] keeps the lines. Each use case belongs to one user: the
//! owner is an argument of everything here, so nobody's cart can be reached by accident.

pub mod domain;
pub mod store;

mod add_item;
pub mod change;
mod clear;
mod find;
pub(crate) mod graphql;
mod remove_item;

use std::sync::Arc;

use ::schema::{
    code::ErrorCode,
    id::{OutOfRange, UserId},
};
use chassis::{fault::Coded, postgres::StoreError};
use idempotency::Recorded;

pub use self::{
    change::Change,
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

    /// Makes a change, unless it was made or refused under this key before.
    async fn change(
        &self,
        owner: UserId,
        change: Change,
        key: Option<&str>,
    ) -> Result<Recorded<Cart>, Error> {
        if let Some(key) = key
            && self.repository.recall(owner, change, key).await?
        {
            return Ok(Recorded {
                value: self.find(owner).await?,
                replayed: true,
            });
        }
        let made = async {
            self.check(change).await?;
            self.repository.change(owner, change, key).await
        };
        let made = made.await;
        if let (Err(Error::Refused(refusal)), Some(key)) = (&made, key) {
            self.repository
                .note_refusal(owner, change, key, *refusal)
                .await?;
        }
        Ok(Recorded {
            value: made?,
            replayed: false,
        })
    }

    /// Asks the other services what they have to say before a change is made.
    async fn check(&self, change: Change) -> Result<(), Error> {
        match change {
            Change::Add(sku, count) => self.check_add(sku, count).await,
            Change::Remove(_) | Change::Clear => Ok(()),
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

impl Coded for Refusal {
    fn code(&self) -> ErrorCode {
        match self {
            Self::ProductNotFound { .. } => ErrorCode::ProductNotFound,
            Self::OutOfStock { .. } => ErrorCode::OutOfStock,
            Self::TooManyUnits { .. } | Self::TooManyLines => ErrorCode::InvalidArgument,
            Self::KeyReused => ErrorCode::IdempotencyKeyReused,
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        Some(input_field(match self {
            Self::ProductNotFound { .. } | Self::TooManyLines => "sku",
            Self::OutOfStock { .. } | Self::TooManyUnits { .. } => "count",
            Self::KeyReused => "idempotencyKey",
        }))
    }
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(_) => ErrorCode::InvalidArgument,
            Self::Refused(refusal) => refusal.code(),
            Self::Store(error) => error.code(),
            Self::Product(error) => error.code(),
            Self::Loms(error) => error.code(),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        match self {
            Self::Invalid(OutOfRange { what }) => Some(input_field(what)),
            Self::Refused(refusal) => refusal.field(),
            Self::Store(_) | Self::Product(_) | Self::Loms(_) => None,
        }
    }
}

fn input_field(name: &str) -> Vec<String> {
    vec!["input".to_owned(), name.to_owned()]
}
