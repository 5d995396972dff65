//! The catalogue as the cart sees it: names and prices, from the product service.
//!
//! [`http`] asks the service within its rules (contracts §2: a rate, retries on 420 and 429 only), [`cache`] remembers
//! responses, lets look-ups of one SKU share one request and carries readers over an outage, [`client`] is the port that
//! both implement, `warning` tells readers of the graph what is old.

pub mod cache;
pub mod client;
pub(crate) mod graphql;
pub mod http;
pub mod rate_limit;
pub(crate) mod warning;

use std::sync::Arc;

use ::schema::{code::ErrorCode, id::Sku};
use chassis::fault::Coded;
use futures::{StreamExt, TryStreamExt, stream};

pub use self::client::ProductClient;

/// Look-ups of one call that are under way at the same time.
const FAN_OUT: usize = 16;

/// A product of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Stock keeping unit.
    pub sku: Sku,
    /// What it is called; any UTF-8.
    pub name: Arc<str>,
    /// What one unit costs, in whole currency units.
    pub price: u32,
    /// Whether this is what was known before the product service went out of reach.
    pub stale: bool,
}

/// Why a product is not there to be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The catalogue does not have it; only [`Products::load`] fails with this.
    #[error("sku {sku} is not in the catalogue")]
    NotFound {
        /// What was asked for.
        sku: Sku,
    },
    /// No response came: the connection failed or broke, or one try took too long. Not retried.
    #[error("the product service is out of reach")]
    Unreachable(#[source] Arc<reqwest::Error>),
    /// Still 420 or 429 after the last retry.
    #[error("the product service refuses more requests after {tries} tries")]
    Throttled {
        /// How often it was asked.
        tries: usize,
    },
    /// The look-up took too long in all.
    #[error("the product service took longer than {limit:?}")]
    TookTooLong {
        /// The time that it had.
        limit: std::time::Duration,
    },
    /// A status that the contract does not explain.
    #[error("the product service responded with status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// A response that breaks the contract.
    #[error("the product service gave a malformed response: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// Whether the service is out of reach or overloaded, rather than there with a response that we do not understand.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Throttled { .. } | Self::TookTooLong { .. } => true,
            Self::Status { status } => *status >= 500,
            Self::NotFound { .. } | Self::Malformed { .. } => false,
        }
    }
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound { .. } => ErrorCode::ProductNotFound,
            Self::Unreachable(_) | Self::Throttled { .. } => ErrorCode::Unavailable,
            Self::TookTooLong { .. } => ErrorCode::DeadlineExceeded,
            Self::Status { status: 500.. } => ErrorCode::Unavailable,
            Self::Status { .. } | Self::Malformed { .. } => ErrorCode::Internal,
        }
    }
}

/// Handle to the catalogue; cloning shares it.
#[derive(Debug, Clone)]
pub struct Products {
    client: Arc<dyn ProductClient>,
}

impl Products {
    /// Reads the catalogue through `client`.
    #[must_use]
    pub fn new(client: Arc<dyn ProductClient>) -> Self {
        Self { client }
    }

    /// Finds one product.
    ///
    /// # Errors
    /// [`Error`] when the product service cannot be asked.
    pub async fn find(&self, sku: Sku) -> Result<Option<Product>, Error> {
        self.client.find(sku).await
    }

    /// Loads a product that something in the graph refers to.
    ///
    /// # Errors
    /// [`Error::NotFound`], or another [`Error`] when the product service cannot be asked.
    pub async fn load(&self, sku: Sku) -> Result<Product, Error> {
        self.find(sku).await?.ok_or(Error::NotFound { sku })
    }

    /// Finds products, in parallel; gives each SKU with what it names.
    ///
    /// # Errors
    /// The first [`Error`]; the other look-ups are cancelled then. Source: docs/contracts.md §2.
    pub async fn find_many(&self, skus: &[Sku]) -> Result<Vec<(Sku, Option<Product>)>, Error> {
        let look_ups = skus
            .iter()
            .copied()
            .map(|sku| async move { Ok((sku, self.find(sku).await?)) });
        stream::iter(look_ups)
            .buffer_unordered(FAN_OUT)
            .try_collect()
            .await
    }

    /// Lists up to `count` products behind `after`, ascending by SKU.
    ///
    /// # Errors
    /// [`Error`] when the product service cannot be asked.
    pub async fn list(&self, after: Option<Sku>, count: u32) -> Result<Arc<[Product]>, Error> {
        self.client.list(after, count).await
    }
}
