//! The handle to the catalogue, which services share.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use schema::id::Sku;

use crate::{
    cache::CachedClient,
    client::{LIST_PAGE, ProductClient},
    config::Config,
    error::Error,
    http::{HttpClient, SetupError},
    metrics,
    product::Product,
    search::Search,
};

/// Look-ups of one call that are under way at the same time.
const FAN_OUT: usize = 16;

/// Pages of a catalogue that is searched.
const MAX_PAGES: u32 = 128;

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

    /// Reads the catalogue of the product service, and remembers what it said.
    ///
    /// # Errors
    /// [`SetupError`] names the setting that is wrong. A service that is out of reach is none.
    pub fn connect(config: &Config) -> Result<Self, SetupError> {
        metrics::announce();
        let http = HttpClient::new(config)?;
        Ok(Self::new(Arc::new(CachedClient::new(http, config))))
    }

    /// Finds one product; `None` when the catalogue does not have it.
    ///
    /// # Errors
    /// [`Error`] when the product service cannot be asked.
    pub async fn find(&self, sku: Sku) -> Result<Option<Product>, Error> {
        self.client.find(sku).await
    }

    /// Finds products, in parallel; gives each SKU with what it names. A long list costs few requests.
    ///
    /// # Errors
    /// The first [`Error`]; the other look-ups are cancelled then. Source: docs/contracts.md §2.
    pub async fn find_many(&self, skus: &[Sku]) -> Result<Vec<(Sku, Option<Product>)>, Error> {
        self.client.prepare(skus).await;
        let look_ups = skus
            .iter()
            .copied()
            .map(|sku| async move { Ok((sku, self.find(sku).await?)) });
        stream::iter(look_ups)
            .buffer_unordered(FAN_OUT)
            .try_collect()
            .await
    }

    /// Every product that `search` finds, ascending by SKU. Reads the pages of the list, which stay in memory as long as a
    /// product is believed.
    ///
    /// # Errors
    /// [`Error`] when the product service cannot be asked, or has more products than are searched: never a part.
    pub async fn search(&self, search: &Search) -> Result<Vec<Product>, Error> {
        let (mut found, mut after) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let page = self.list(after, LIST_PAGE).await?;
            found.extend(page.iter().filter(|one| search.finds(one)).cloned());
            let is_full = u32::try_from(page.len()).is_ok_and(|products| products >= LIST_PAGE);
            match page.last() {
                Some(last) if is_full => after = Some(last.sku),
                Some(_) | None => return Ok(found),
            }
        }
        Err(Error::TooLong {
            most: MAX_PAGES * LIST_PAGE,
        })
    }

    /// Lists up to `count` products behind `after`, ascending by SKU.
    ///
    /// # Errors
    /// [`Error`] when the product service cannot be asked.
    pub async fn list(&self, after: Option<Sku>, count: u32) -> Result<Arc<[Product]>, Error> {
        self.client.list(after, count).await
    }
}
