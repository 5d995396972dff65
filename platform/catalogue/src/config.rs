//! How one service asks the product service.

use std::time::Duration;

use chassis::config::Secret;

/// What a client is made of. Each service has settings of its own for it.
#[derive(Debug, Clone)]
pub struct Config {
    /// How the service's settings begin, such as `cart.product`; a refused setting is named by it.
    pub setting: &'static str,
    /// The product service's address.
    pub url: String,
    /// What the product service expects in `X-API-KEY`.
    pub key: Secret,
    /// Look-ups a second that this client sends; more wait in a queue.
    pub rate: u32,
    /// Look-ups that may leave at once after a quiet time.
    pub burst: u32,
    /// Look-ups that may be under way at the same time.
    pub concurrency: usize,
    /// Retries after the first try; only statuses 420 and 429 are retried.
    pub retries: usize,
    /// How long one try may take.
    pub timeout: Duration,
    /// How long a look-up may take in all: waiting in the queue, tries and pauses.
    pub deadline: Duration,
    /// How long a product's name and price are believed.
    pub cache_ttl: Duration,
    /// How long the absence of a product is believed.
    pub cache_missing_ttl: Duration,
    /// How long a product may be given as it was last seen, while the product service is out of reach.
    pub stale_ttl: Duration,
    /// Products kept in memory.
    pub cache_capacity: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            setting: "product",
            url: "http://127.0.0.1:8082".to_owned(),
            key: Secret::new("testToken".to_owned()),
            rate: 10,
            burst: 10,
            concurrency: 16,
            retries: 3,
            timeout: Duration::from_secs(3),
            deadline: Duration::from_secs(10),
            cache_ttl: Duration::from_secs(60),
            cache_missing_ttl: Duration::from_secs(5),
            stale_ttl: Duration::from_mins(10),
            cache_capacity: 10_000,
        }
    }
}
