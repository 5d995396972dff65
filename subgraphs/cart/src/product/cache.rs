//! Remembers answers of the product service for a while, and lets concurrent look-ups of one SKU share one request.
//!
//! Absence is remembered too, for a shorter time, so that adds of unknown SKUs do not eat the rate. Failures are never
//! remembered. A look-up that is dropped hands its request over to whoever waits for the same SKU.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::schema::id::Sku;
use async_trait::async_trait;
use moka::{Expiry, future::Cache};

use super::{Error, Product, ProductClient};
use crate::config::Config;

/// Pages kept; a page holds up to 101 products.
const PAGES_MOST: u64 = 100;

/// A client that remembers what another one answered.
#[derive(Debug)]
pub struct CachedClient<C> {
    inner: C,
    products: Cache<Sku, Option<Product>>,
    pages: Cache<(Option<Sku>, u32), Arc<[Product]>>,
}

impl<C: ProductClient> CachedClient<C> {
    /// Puts a cache with the configured times and size before `inner`.
    #[must_use]
    pub fn new(inner: C, config: &Config) -> Self {
        let ttl = Ttl {
            found: config.product_cache_ttl,
            missing: config.product_cache_missing_ttl,
        };
        let products = Cache::builder()
            .max_capacity(config.product_cache_capacity)
            .expire_after(ttl)
            .build();
        let pages = Cache::builder()
            .max_capacity(PAGES_MOST)
            .time_to_live(config.product_cache_ttl)
            .build();
        Self {
            inner,
            products,
            pages,
        }
    }
}

#[async_trait]
impl<C: ProductClient> ProductClient for CachedClient<C> {
    async fn find(&self, sku: Sku) -> Result<Option<Product>, Error> {
        let found = self.products.try_get_with(sku, self.inner.find(sku)).await;
        found.map_err(|error| (*error).clone())
    }

    async fn list(&self, after: Option<Sku>, count: u32) -> Result<Arc<[Product]>, Error> {
        let key = (after, count);
        let page = self
            .pages
            .try_get_with(key, self.inner.list(after, count))
            .await;
        let page = page.map_err(|error| (*error).clone())?;
        for product in page
            .iter()
            .filter(|product| !self.products.contains_key(&product.sku))
        {
            self.products
                .insert(product.sku, Some(product.clone()))
                .await;
        }
        Ok(page)
    }
}

struct Ttl {
    found: Duration,
    missing: Duration,
}

impl Expiry<Sku, Option<Product>> for Ttl {
    fn expire_after_create(
        &self,
        _sku: &Sku,
        answer: &Option<Product>,
        _created_at: Instant,
    ) -> Option<Duration> {
        Some(if answer.is_some() {
            self.found
        } else {
            self.missing
        })
    }
}
