//! The cart service's settings.

use std::time::Duration;

use chassis::config::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the cart service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where carts live.
    pub store: Store,
    /// The order service's gRPC address.
    #[schemars(url)]
    pub loms_url: String,
    /// How long one call to the order service may take, its retries included.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub loms_timeout: Duration,
    /// The product service's address.
    #[schemars(url)]
    pub product_url: String,
    /// What the product service expects in `X-API-KEY`.
    pub product_key: Secret,
    /// Look-ups a second that this process sends to the product service; more wait in a queue.
    #[schemars(range(min = 1))]
    pub product_rate: u32,
    /// Look-ups that may leave at once after a quiet time.
    #[schemars(range(min = 1))]
    pub product_burst: u32,
    /// Look-ups that may be under way at the same time.
    #[schemars(range(min = 1))]
    pub product_concurrency: usize,
    /// Retries after the first try; only statuses 420 and 429 are retried.
    pub product_retries: usize,
    /// How long one try may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub product_timeout: Duration,
    /// How long a look-up may take in all: waiting in the queue, tries and pauses.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub product_deadline: Duration,
    /// How long a product's name and price are believed.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub product_cache_ttl: Duration,
    /// How long the absence of a product is believed.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::MayBeZero")]
    pub product_cache_missing_ttl: Duration,
    /// How long a product may be given as it was last seen, while the product service is out of reach.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::MayBeZero")]
    pub product_stale_ttl: Duration,
    /// Products kept in memory.
    pub product_cache_capacity: u64,
}

/// Where carts live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Store {
    /// In Postgres: a change that succeeded survives any crash of this process.
    Postgres,
    /// In this process's memory, gone with it. For tests and benchmarks.
    Memory,
}

impl Config {
    /// How the product service is asked.
    pub(crate) fn catalogue(&self) -> catalogue::Config {
        catalogue::Config {
            setting: "cart.product",
            url: self.product_url.clone(),
            key: self.product_key.clone(),
            rate: self.product_rate,
            burst: self.product_burst,
            concurrency: self.product_concurrency,
            retries: self.product_retries,
            timeout: self.product_timeout,
            deadline: self.product_deadline,
            cache_ttl: self.product_cache_ttl,
            cache_missing_ttl: self.product_cache_missing_ttl,
            stale_ttl: self.product_stale_ttl,
            cache_capacity: self.product_cache_capacity,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let product = catalogue::Config::default();
        Self {
            store: Store::Postgres,
            loms_url: "http://127.0.0.1:8083".to_owned(),
            loms_timeout: Duration::from_secs(5),
            product_url: product.url,
            product_key: product.key,
            product_rate: product.rate,
            product_burst: product.burst,
            product_concurrency: product.concurrency,
            product_retries: product.retries,
            product_timeout: product.timeout,
            product_deadline: product.deadline,
            product_cache_ttl: product.cache_ttl,
            product_cache_missing_ttl: product.cache_missing_ttl,
            product_stale_ttl: product.stale_ttl,
            product_cache_capacity: product.cache_capacity,
        }
    }
}
