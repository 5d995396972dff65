//! Remembers answers of the product service for a while, and lets concurrent look-ups of one SKU share one request.
//!
//! Absence is remembered too, for a shorter time, so that adds of unknown SKUs do not eat the rate. Failures are never
//! remembered. While the service is out of reach, a product that was seen not too long ago is given as it was then,
//! marked as stale; the service is asked again after a moment. A look-up that is dropped hands its request over to
//! whoever waits for the same SKU.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::schema::id::Sku;
use async_trait::async_trait;
use moka::{Expiry, future::Cache};

use super::{Error, Product, ProductClient};
use crate::{
    config::Config,
    metrics::{self, Source},
};

/// Pages kept; a page holds up to 101 products.
const PAGES_MOST: u64 = 100;
/// How long a stale answer stands before the service is asked again: an outage must not use up the rate, nor make every
/// reader wait for a connection that fails.
const STALE_AGAIN: Duration = Duration::from_secs(2);

/// A client that remembers what another one answered.
#[derive(Debug)]
pub struct CachedClient<C> {
    inner: C,
    answers: Cache<Sku, Answer>,
    /// Every product as it was last seen, for outages.
    seen: Cache<Sku, Seen>,
    stale_ttl: Duration,
    pages: Cache<(Option<Sku>, u32), Arc<[Product]>>,
}

#[derive(Debug, Clone)]
enum Answer {
    Found(Product),
    Missing,
    /// What was known when the service could not be asked, and for how long it may be given.
    Stale(Product, Duration),
}

#[derive(Debug, Clone)]
struct Seen {
    product: Product,
    at: Instant,
}

impl<C: ProductClient> CachedClient<C> {
    /// Puts a cache with the configured times and size before `inner`.
    #[must_use]
    pub fn new(inner: C, config: &Config) -> Self {
        let ttl = Ttl {
            found: config.product_cache_ttl,
            missing: config.product_cache_missing_ttl,
        };
        let answers = Cache::builder()
            .max_capacity(config.product_cache_capacity)
            .expire_after(ttl)
            .build();
        let seen = Cache::builder()
            .max_capacity(config.product_cache_capacity)
            .time_to_live(config.product_stale_ttl)
            .build();
        let pages = Cache::builder()
            .max_capacity(PAGES_MOST)
            .time_to_live(config.product_cache_ttl)
            .build();
        Self {
            inner,
            answers,
            seen,
            stale_ttl: config.product_stale_ttl,
            pages,
        }
    }

    async fn ask(&self, sku: Sku) -> Result<Answer, Error> {
        match self.inner.find(sku).await {
            Ok(Some(product)) => {
                self.see(&product).await;
                Ok(Answer::Found(product))
            }
            Ok(None) => {
                self.seen.invalidate(&sku).await;
                Ok(Answer::Missing)
            }
            Err(error) => match self.last_seen(sku).await {
                Some(stale) if error.is_outage() => Ok(stale),
                Some(_) | None => Err(error),
            },
        }
    }

    async fn see(&self, product: &Product) {
        let seen = Seen {
            product: product.clone(),
            at: Instant::now(),
        };
        self.seen.insert(product.sku, seen).await;
    }

    async fn last_seen(&self, sku: Sku) -> Option<Answer> {
        let Seen { mut product, at } = self.seen.get(&sku).await?;
        let left = self.stale_ttl.checked_sub(at.elapsed())?;
        product.stale = true;
        Some(Answer::Stale(product, left))
    }
}

#[async_trait]
impl<C: ProductClient> ProductClient for CachedClient<C> {
    async fn find(&self, sku: Sku) -> Result<Option<Product>, Error> {
        let answer = self
            .answers
            .entry(sku)
            .or_try_insert_with(self.ask(sku))
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                metrics::looked_up(Source::Failed);
                return Err((*error).clone());
            }
        };
        let asked = answer.is_fresh();
        let answer = answer.into_value();
        metrics::looked_up(match answer {
            Answer::Stale(..) => Source::Stale,
            Answer::Found(_) | Answer::Missing if asked => Source::Service,
            Answer::Found(_) | Answer::Missing => Source::Memory,
        });
        Ok(match answer {
            Answer::Found(product) | Answer::Stale(product, _) => Some(product),
            Answer::Missing => None,
        })
    }

    async fn list(&self, after: Option<Sku>, count: u32) -> Result<Arc<[Product]>, Error> {
        let ask = async {
            let page = self.inner.list(after, count).await?;
            for product in &*page {
                self.see(product).await;
                let found = Answer::Found(product.clone());
                self.answers.insert(product.sku, found).await;
            }
            Ok(page)
        };
        let page = self.pages.try_get_with((after, count), ask).await;
        page.map_err(|error: Arc<Error>| (*error).clone())
    }
}

struct Ttl {
    found: Duration,
    missing: Duration,
}

impl Ttl {
    fn of(&self, answer: &Answer) -> Duration {
        match answer {
            Answer::Found(_) => self.found,
            Answer::Missing => self.missing,
            Answer::Stale(_, left) => STALE_AGAIN.min(*left),
        }
    }
}

impl Expiry<Sku, Answer> for Ttl {
    fn expire_after_create(&self, _: &Sku, answer: &Answer, _: Instant) -> Option<Duration> {
        Some(self.of(answer))
    }

    fn expire_after_update(
        &self,
        _: &Sku,
        answer: &Answer,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(self.of(answer))
    }
}
