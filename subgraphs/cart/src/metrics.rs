//! What the cart service tells Prometheus. Labels have few values each: outcomes and codes, never a user or a SKU.

use std::{sync::LazyLock, time::Duration};

use prometheus::{
    HistogramVec, IntCounter, exponential_buckets, register_histogram_vec, register_int_counter,
};

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
    LazyLock::force(&ITEMS_ADDED);
}

pub(crate) fn item_added() {
    ITEMS_ADDED.inc();
}

/// 1 ms to 16 s.
fn buckets() -> Vec<f64> {
    exponential_buckets(0.001, 2.0, 15).expect("a start above 0 and a factor above 1")
}

pub(crate) fn checked_out(outcome: &str, took: Duration) {
    CHECKOUTS
        .with_label_values(&[outcome])
        .observe(took.as_secs_f64());
}
