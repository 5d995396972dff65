//! What operators see of planning.

use std::{sync::LazyLock, time::Duration};

use prometheus::{Histogram, IntCounterVec, register_histogram, register_int_counter_vec};

static CACHE: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_router_plan_cache_total",
        "Look-ups of a query plan: hit, or miss.",
        &["result"]
    )
    .expect("the name is registered once")
});

static SECONDS: LazyLock<Histogram> = LazyLock::new(|| {
    register_histogram!(
        "marketplace_router_plan_seconds",
        "Time of planning one operation that is not in the cache.",
        vec![
            0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 2.0
        ]
    )
    .expect("the name is registered once")
});

/// Shows every series before the first operation.
pub(super) fn announce() {
    for result in ["hit", "miss"] {
        CACHE.with_label_values(&[result]).inc_by(0);
    }
    LazyLock::force(&SECONDS);
}

/// Counts a plan that was there.
pub(super) fn plan_found() {
    CACHE.with_label_values(&["hit"]).inc();
}

/// Counts a plan that was not there.
pub(super) fn plan_missed() {
    CACHE.with_label_values(&["miss"]).inc();
}

/// Times a plan that was made.
pub(super) fn planned(took: Duration) {
    SECONDS.observe(took.as_secs_f64());
}
