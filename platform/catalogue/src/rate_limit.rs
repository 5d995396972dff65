//! The rate at which this process may ask the product service. It queues and never refuses: callers leave in the order
//! in which they came, and one that is dropped gives up its place. Source: docs/contracts.md §2, "rate".

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Mutex;

/// One bucket for the whole process.
#[derive(Debug)]
pub struct RateLimit {
    /// Held by whoever is next, so that only one waits for the bucket. Tokio's mutex is fair.
    next: Mutex<()>,
    bucket: DefaultDirectRateLimiter,
}

impl RateLimit {
    /// `per_second` turns a second, and up to `burst` at once after a quiet time; 0 counts as 1.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        Self {
            next: Mutex::new(()),
            bucket: RateLimiter::direct(quota),
        }
    }

    /// Waits for a turn.
    ///
    /// # Cancel safety
    /// Dropped while it waits, it uses no turn.
    pub async fn turn(&self) {
        let _next = self.next.lock().await;
        self.bucket.until_ready().await;
    }
}
