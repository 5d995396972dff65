//! What Prometheus sees of the look-ups. Labels have few values each: outcomes, never a SKU.

use std::{sync::LazyLock, time::Duration};

use prometheus::{
    Histogram, HistogramVec, IntCounterVec, IntGauge, exponential_buckets, register_histogram,
    register_histogram_vec, register_int_counter_vec, register_int_gauge,
};

static REQUESTS: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        "marketplace_catalogue_request_seconds",
        "One request to the product service, by how it ended",
        &["outcome"],
        buckets()
    )
    .expect("the name is registered once")
});

static QUEUE: LazyLock<Histogram> = LazyLock::new(|| {
    register_histogram!(
        "marketplace_catalogue_queue_seconds",
        "How long a request to the product service waited for its turn",
        buckets()
    )
    .expect("the name is registered once")
});

static QUEUED: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!(
        "marketplace_catalogue_queued_requests",
        "Requests to the product service that wait for their turn"
    )
    .expect("the name is registered once")
});

static LOOKUPS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_catalogue_lookups_total",
        "Look-ups of one product, by where the answer came from",
        &["source"]
    )
    .expect("the name is registered once")
});

/// Shows every series that is known before the first request.
pub(crate) fn announce() {
    for source in ["service", "memory", "stale", "failed"] {
        LOOKUPS.with_label_values(&[source]).inc_by(0);
    }
    LazyLock::force(&QUEUED);
    LazyLock::force(&QUEUE);
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
    LOOKUPS.with_label_values(&[name]).inc();
}

pub(crate) fn requested(outcome: &str, took: Duration) {
    REQUESTS
        .with_label_values(&[outcome])
        .observe(took.as_secs_f64());
}

/// A request that waits for its turn; counted when it has it, or when it is dropped.
#[derive(Debug)]
pub(crate) struct Queued(tokio::time::Instant);

impl Queued {
    pub(crate) fn start() -> Self {
        QUEUED.inc();
        Self(tokio::time::Instant::now())
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        QUEUED.dec();
        QUEUE.observe(self.0.elapsed().as_secs_f64());
    }
}
