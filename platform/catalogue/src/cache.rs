//! Remembers what the product service said for a while, and lets concurrent look-ups of one SKU share one request.
//!
//! Absence is remembered too, for a shorter time, so that adds of unknown SKUs do not eat the rate. Failures are never
//! remembered. While the service is out of reach, a product that was seen not too long ago is given as it was then,
//! marked as stale; the service is asked again after a moment. A look-up that is dropped hands its request over to
//! whoever waits for the same SKU. Many SKUs at once that are not known are read from the service's list, a thousand a
//! request.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use moka::{Expiry, future::Cache};
use schema::id::Sku;

use crate::{
    client::{LIST_PAGE, ProductClient},
    config::Config,
    error::Error,
    metrics::{self, Source},
    product::Product,
};

/// Products in the pages that are kept: all that are searched, so that a search asks for a page once in its time.
const MAX_PAGED: u64 = 130_000;
/// Unknown SKUs of one call from which on the service's list is read instead.
const LIST_FROM: usize = 8;
/// Pages that are read for one call; what is not in them is looked up one by one.
const LIST_PAGES: usize = 10;
/// How long a stale product stands before the service is asked again: an outage must not use up the rate, nor make every
/// reader wait for a connection that fails.
const STALE_RECHECK: Duration = Duration::from_secs(2);

/// A client that remembers what another one found.
#[derive(Debug)]
pub struct CachedClient<C> {
    inner: C,
    look_ups: Cache<Sku, LookUp>,
    /// Every product as it was last seen, for outages.
    seen: Cache<Sku, Seen>,
    stale_ttl: Duration,
    pages: Cache<(Option<Sku>, u32), Arc<[Product]>>,
}

#[derive(Debug, Clone)]
enum LookUp {
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
            found: config.cache_ttl,
            missing: config.cache_missing_ttl,
        };
        let look_ups = Cache::builder()
            .max_capacity(config.cache_capacity)
            .expire_after(ttl)
            .build();
        let seen = Cache::builder()
            .max_capacity(config.cache_capacity)
            .time_to_live(config.stale_ttl)
            .build();
        let pages = Cache::builder()
            .max_capacity(MAX_PAGED)
            .weigher(|_, page: &Arc<[Product]>| {
                u32::try_from(page.len().max(1)).unwrap_or(u32::MAX)
            })
            .time_to_live(config.cache_ttl)
            .build();
        Self {
            inner,
            look_ups,
            seen,
            stale_ttl: config.stale_ttl,
            pages,
        }
    }

    /// Reads the service's list from its head until it has said all there is to know of `unknown`, ascending SKUs.
    async fn read_list(&self, unknown: &[Sku]) -> Result<(), Error> {
        let mut unknown = unknown.iter().copied().peekable();
        let mut after = None;
        for _ in 0..LIST_PAGES {
            let page = self.list(after, LIST_PAGE).await?;
            let is_last = page.len() < usize::try_from(LIST_PAGE).unwrap_or(usize::MAX);
            let end = page.last().map(|product| product.sku);
            while let Some(sku) = unknown.next_if(|sku| is_last || Some(*sku) <= end) {
                let place = page.binary_search_by_key(&sku, |product| product.sku);
                let look_up = place.map_or(LookUp::Missing, |at| LookUp::Found(page[at].clone()));
                self.look_ups.insert(sku, look_up).await;
            }
            if is_last || unknown.peek().is_none() {
                break;
            }
            after = end;
        }
        Ok(())
    }

    async fn ask(&self, sku: Sku) -> Result<LookUp, Error> {
        match self.inner.find(sku).await {
            Ok(Some(product)) => {
                self.see(&product).await;
                Ok(LookUp::Found(product))
            }
            Ok(None) => {
                self.seen.invalidate(&sku).await;
                Ok(LookUp::Missing)
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

    async fn last_seen(&self, sku: Sku) -> Option<LookUp> {
        let Seen { mut product, at } = self.seen.get(&sku).await?;
        let left = self.stale_ttl.checked_sub(at.elapsed())?;
        product.stale = true;
        Some(LookUp::Stale(product, left))
    }
}

#[async_trait]
impl<C: ProductClient> ProductClient for CachedClient<C> {
    async fn find(&self, sku: Sku) -> Result<Option<Product>, Error> {
        let entry = self.look_ups.entry(sku);
        let entry = match entry.or_try_insert_with(self.ask(sku)).await {
            Ok(entry) => entry,
            Err(error) => {
                metrics::looked_up(Source::Failed);
                return Err((*error).clone());
            }
        };
        let is_new = entry.is_fresh();
        let look_up = entry.into_value();
        metrics::looked_up(match look_up {
            LookUp::Stale(..) => Source::Stale,
            LookUp::Found(_) | LookUp::Missing if is_new => Source::Service,
            LookUp::Found(_) | LookUp::Missing => Source::Memory,
        });
        Ok(match look_up {
            LookUp::Found(product) | LookUp::Stale(product, _) => Some(product),
            LookUp::Missing => None,
        })
    }

    async fn prepare(&self, skus: &[Sku]) {
        let unknown = skus.iter().filter(|sku| !self.look_ups.contains_key(*sku));
        let unknown: BTreeSet<Sku> = unknown.copied().collect();
        if unknown.len() < LIST_FROM {
            return;
        }
        let unknown: Vec<Sku> = unknown.into_iter().collect();
        if let Err(error) = self.read_list(&unknown).await {
            // The look-ups that follow say so, or give what was seen before.
            tracing::debug!(%error, "the catalogue's list cannot be read");
        }
    }

    async fn list(&self, after: Option<Sku>, count: u32) -> Result<Arc<[Product]>, Error> {
        let ask = async {
            let page = self.inner.list(after, count).await?;
            for product in &*page {
                self.see(product).await;
                let found = LookUp::Found(product.clone());
                self.look_ups.insert(product.sku, found).await;
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
    fn of(&self, look_up: &LookUp) -> Duration {
        match look_up {
            LookUp::Found(_) => self.found,
            LookUp::Missing => self.missing,
            LookUp::Stale(_, left) => STALE_RECHECK.min(*left),
        }
    }
}

impl Expiry<Sku, LookUp> for Ttl {
    fn expire_after_create(&self, _: &Sku, look_up: &LookUp, _: Instant) -> Option<Duration> {
        Some(self.of(look_up))
    }

    fn expire_after_update(
        &self,
        _: &Sku,
        look_up: &LookUp,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(self.of(look_up))
    }
}
