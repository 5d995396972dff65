//! What the cart service tells Prometheus. Labels have few values each: outcomes and codes, never a user or a SKU.

use std::{sync::LazyLock, time::Duration};

use prometheus::{
    Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, exponential_buckets,
    register_histogram, register_histogram_vec, register_int_counter, register_int_counter_vec,
    register_int_gauge,
};

static PRODUCT_REQUESTS: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        "marketplace_cart_product_request_seconds",
        "One request to the product service, by how it ended",
        &["outcome"],
        buckets()
    )
    .expect("the name is registered once")
});

static PRODUCT_QUEUE: LazyLock<Histogram> = LazyLock::new(|| {
    register_histogram!(
        "marketplace_cart_product_queue_seconds",
        "How long a request to the product service waited for its turn",
        buckets()
    )
    .expect("the name is registered once")
});

static PRODUCT_QUEUED: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!(
        "marketplace_cart_product_queued_requests",
        "Requests to the product service that wait for their turn"
    )
    .expect("the name is registered once")
});

static PRODUCT_LOOKUPS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_cart_product_lookups_total",
        "Look-ups of one product, by where the answer came from",
        &["source"]
    )
    .expect("the name is registered once")
});

static CHECKOUTS: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        "marketplace_cart_checkout_seconds",
        "One checkout, by how it ended",
        &["outcome"],
        buckets()
    )
    .expect("the name is registered once")
});

static ITEMS_ADDED: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_cart_items_added_total",
        "Additions of a product to a cart"
    )
    .expect("the name is registered once")
});

/// Shows every series that is known before the first request.
pub(crate) fn announce() {
    for source in ["service", "memory", "stale", "failed"] {
        PRODUCT_LOOKUPS.with_label_values(&[source]).inc_by(0);
    }
    LazyLock::force(&ITEMS_ADDED);
    LazyLock::force(&PRODUCT_QUEUED);
    LazyLock::force(&PRODUCT_QUEUE);
}

pub(crate) fn item_added() {
    ITEMS_ADDED.inc();
}

/// 1 ms to 16 s.
fn buckets() -> Vec<f64> {
    exponential_buckets(0.001, 2.0, 15).expect("a start above 0 and a factor above 1")
}

/// Where the product of a look-up came from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    Service,
    /// This process's memory, within its time to live.
    Memory,
    /// This process's memory, because the product service is out of reach.
    Stale,
    /// Nowhere: the look-up failed.
    Failed,
}

pub(crate) fn looked_up(source: Source) {
    let name = match source {
        Source::Service => "service",
        Source::Memory => "memory",
        Source::Stale => "stale",
        Source::Failed => "failed",
    };
    PRODUCT_LOOKUPS.with_label_values(&[name]).inc();
}

pub(crate) fn product_requested(outcome: &str, took: Duration) {
    PRODUCT_REQUESTS
        .with_label_values(&[outcome])
        .observe(took.as_secs_f64());
}

/// A request that waits for its turn; counted when it has it, or when it is dropped.
#[derive(Debug)]
pub(crate) struct Queued(tokio::time::Instant);

impl Queued {
    pub(crate) fn start() -> Self {
        PRODUCT_QUEUED.inc();
        Self(tokio::time::Instant::now())
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        PRODUCT_QUEUED.dec();
        PRODUCT_QUEUE.observe(self.0.elapsed().as_secs_f64());
    }
}

pub(crate) fn checked_out(outcome: &str, took: Duration) {
    CHECKOUTS
        .with_label_values(&[outcome])
        .observe(took.as_secs_f64());
}
