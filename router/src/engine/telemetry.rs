//! What operators see of the engine. Labels are the subgraphs of the supergraph, error codes and a few outcomes.

use std::{sync::LazyLock, time::Duration};

use chassis::telemetry::{Latency, REQUEST_SECONDS, trace};
use federation::{Code, Telemetry, host::FetchOutcome, subgraph::FetchError};
use prometheus::{
    Histogram, IntCounterVec, IntGaugeVec, register_histogram, register_int_counter_vec,
    register_int_gauge_vec,
};
use schema::code::ErrorCode;

static ERRORS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_router_errors_total",
        "Errors in answers and refusals by code; refusals in userErrors are none.",
        &["code"]
    )
    .expect("the name is registered once")
});

static PLAN_CACHE: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_router_plan_cache_total",
        "Look-ups of a query plan: hit, or miss.",
        &["result"]
    )
    .expect("the name is registered once")
});

static PLAN_SECONDS: LazyLock<Histogram> = LazyLock::new(|| {
    register_histogram!(
        "marketplace_router_plan_seconds",
        "Time of planning one operation that is not in the cache.",
        vec![
            0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 2.0
        ]
    )
    .expect("the name is registered once")
});

static FETCHES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_router_fetches_total",
        "Fetches by subgraph and outcome: ok, error, or refused by an open breaker.",
        &["subgraph", "outcome"]
    )
    .expect("the name is registered once")
});

static FETCHES_SAVED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_router_fetches_saved_total",
        "Fetches for frames that another frame's call brought along, by subgraph.",
        &["subgraph"]
    )
    .expect("the name is registered once")
});

static FETCH_FAILURES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_router_fetch_failures_total",
        "Fetches that brought nothing, by subgraph and reason.",
        &["subgraph", "reason"]
    )
    .expect("the name is registered once")
});

static FETCH_SECONDS: LazyLock<Latency> = LazyLock::new(|| {
    Latency::register(
        "marketplace_router_fetch_seconds",
        "Time of one fetch with its retry, by subgraph.",
        &["subgraph"],
        REQUEST_SECONDS,
    )
});

static FETCHES_SHARED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_router_fetches_shared_total",
        "Fetches that were not sent, because the answer to an identical one was on its way.",
        &["subgraph"]
    )
    .expect("the name is registered once")
});

static UPSTREAMS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "marketplace_router_upstream_subscriptions",
        "Subscriptions that are open at a subgraph; identical ones of clients are one.",
        &["subgraph"]
    )
    .expect("the name is registered once")
});

static UPSTREAMS_LOST: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_router_upstream_subscriptions_lost_total",
        "Subscriptions at a subgraph that were lost, each of which is opened again.",
        &["subgraph"]
    )
    .expect("the name is registered once")
});

static BREAKER_OPEN: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "marketplace_router_breaker_open",
        "1 while the breaker of the subgraph refuses fetches.",
        &["subgraph"]
    )
    .expect("the name is registered once")
});

/// Counts errors that a client will read: of refused requests and of fields.
pub(crate) fn errors(code: Code, count: u64) {
    ERRORS.with_label_values(&[code.as_str()]).inc_by(count);
}

/// Observes the engine.
#[derive(Debug)]
pub(super) struct Observer(());

impl Observer {
    /// Shows every series before its first event.
    pub(super) fn new() -> Self {
        for code in ErrorCode::ALL {
            ERRORS.with_label_values(&[code.as_str()]).inc_by(0);
        }
        for result in ["hit", "miss"] {
            PLAN_CACHE.with_label_values(&[result]).inc_by(0);
        }
        LazyLock::force(&PLAN_SECONDS);
        Self(())
    }
}

impl Telemetry for Observer {
    fn traceparent(&self, traceparent: Option<&str>) -> Option<String> {
        trace::current_or(traceparent)
    }

    fn plan_found(&self) {
        PLAN_CACHE.with_label_values(&["hit"]).inc();
    }

    fn plan_missed(&self) {
        PLAN_CACHE.with_label_values(&["miss"]).inc();
    }

    fn planned(&self, took: Duration) {
        PLAN_SECONDS.observe(took.as_secs_f64());
    }

    fn subgraph_connected(&self, subgraph: &str) {
        for outcome in ["ok", "error", "refused"] {
            FETCHES.with_label_values(&[subgraph, outcome]).inc_by(0);
        }
        for reason in FetchError::REASONS {
            FETCH_FAILURES
                .with_label_values(&[subgraph, reason])
                .inc_by(0);
        }
        FETCHES_SAVED.with_label_values(&[subgraph]).inc_by(0);
        FETCH_SECONDS.announce(&[subgraph]);
        FETCHES_SHARED.with_label_values(&[subgraph]).inc_by(0);
        UPSTREAMS.with_label_values(&[subgraph]).add(0);
        UPSTREAMS_LOST.with_label_values(&[subgraph]).inc_by(0);
        self.breaker(subgraph, false);
    }

    fn fetched(&self, subgraph: &str, outcome: FetchOutcome, took: Duration) {
        let outcome = match outcome {
            FetchOutcome::Responded => "ok",
            FetchOutcome::Failed => "error",
            FetchOutcome::Refused => "refused",
        };
        FETCHES.with_label_values(&[subgraph, outcome]).inc();
        FETCH_SECONDS.observe(&[subgraph], took.as_secs_f64());
    }

    fn fetches_saved(&self, subgraph: &str, count: u64) {
        FETCHES_SAVED.with_label_values(&[subgraph]).inc_by(count);
    }

    fn fetch_failed(&self, subgraph: &str, reason: &'static str) {
        FETCH_FAILURES.with_label_values(&[subgraph, reason]).inc();
    }

    fn fetch_shared(&self, subgraph: &str) {
        FETCHES_SHARED.with_label_values(&[subgraph]).inc();
    }

    fn upstreams(&self, subgraph: &str, change: i64) {
        UPSTREAMS.with_label_values(&[subgraph]).add(change);
    }

    fn upstream_lost(&self, subgraph: &str) {
        UPSTREAMS_LOST.with_label_values(&[subgraph]).inc();
    }

    fn breaker(&self, subgraph: &str, is_open: bool) {
        BREAKER_OPEN
            .with_label_values(&[subgraph])
            .set(i64::from(is_open));
    }

    fn errors(&self, code: Code, count: u64) {
        errors(code, count);
    }
}
