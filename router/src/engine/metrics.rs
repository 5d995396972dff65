//! What operators see of fetches. Labels are the subgraphs of the supergraph and three outcomes.

use std::{sync::LazyLock, time::Duration};

use chassis::telemetry::{Latency, REQUEST_SECONDS};
use prometheus::{IntCounterVec, IntGaugeVec, register_int_counter_vec, register_int_gauge_vec};

use super::FetchError;

static FETCHES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_router_fetches_total",
        "Fetches by subgraph and outcome: ok, error, or refused by an open breaker.",
        &["subgraph", "outcome"]
    )
    .expect("the name is registered once")
});

static SECONDS: LazyLock<Latency> = LazyLock::new(|| {
    Latency::register(
        "marketplace_router_fetch_seconds",
        "Time of one fetch with its retry, by subgraph.",
        &["subgraph"],
        REQUEST_SECONDS,
    )
});

static BREAKER_OPEN: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "marketplace_router_breaker_open",
        "1 while the breaker of the subgraph refuses fetches.",
        &["subgraph"]
    )
    .expect("the name is registered once")
});

/// Shows a subgraph's series before its first fetch.
pub(super) fn announce(subgraph: &str) {
    for outcome in ["ok", "error", "refused"] {
        FETCHES.with_label_values(&[subgraph, outcome]).inc_by(0);
    }
    SECONDS.announce(&[subgraph]);
    breaker(subgraph, false);
}

/// Counts a fetch.
pub(super) fn fetched<T>(subgraph: &str, answer: &Result<T, FetchError>, took: Duration) {
    let outcome = match answer {
        Ok(_) => "ok",
        Err(FetchError::BreakerOpen) => "refused",
        Err(
            FetchError::Connect(_)
            | FetchError::Lost(_)
            | FetchError::Answer(_)
            | FetchError::Timeout(_),
        ) => "error",
    };
    FETCHES.with_label_values(&[subgraph, outcome]).inc();
    SECONDS.observe(&[subgraph], took.as_secs_f64());
}

/// Says whether the breaker is open.
pub(super) fn breaker(subgraph: &str, is_open: bool) {
    BREAKER_OPEN
        .with_label_values(&[subgraph])
        .set(i64::from(is_open));
}
