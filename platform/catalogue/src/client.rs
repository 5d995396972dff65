//! The port to the catalogue.

use std::sync::Arc;

use async_trait::async_trait;
use schema::id::Sku;

use crate::{error::Error, product::Product};

/// Products of a page of the list: the most that the service gives. Source: docs/contracts.md §2.
pub(crate) const LIST_PAGE: u32 = 1_000;

/// Something that knows the catalogue.
///
/// # Cancel safety
/// Every call may be dropped at any time; it holds no place in a queue then.
#[async_trait]
pub trait ProductClient: std::fmt::Debug + Send + Sync {
    /// Finds one product; `None` when the catalogue does not have it.
    async fn find(&self, sku: Sku) -> Result<Option<Product>, Error>;

    /// Makes ready for look-ups of all of `skus`. What it cannot make ready is looked up one by one.
    async fn prepare(&self, skus: &[Sku]) {
        let _: &[Sku] = skus;
    }

    /// Lists up to `count` (1 to 1000) products behind `after`, ascending by SKU; from the head without it.
    async fn list(&self, after: Option<Sku>, count: u32) -> Result<Arc<[Product]>, Error>;
}
