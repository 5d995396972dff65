//! The relay's metrics.

use std::sync::LazyLock;

use prometheus::{
    GaugeVec, Histogram, IntCounter, IntGaugeVec, register_gauge_vec, register_histogram,
    register_int_counter, register_int_gauge_vec,
};

/// Age of a topic's oldest unsent event; 0 when all are sent. The one figure worth an alert.
pub(crate) static OLDEST_UNSENT: LazyLock<GaugeVec> = LazyLock::new(|| {
    register_gauge_vec!(
        "marketplace_outbox_oldest_unsent_seconds",
        "Age of the topic's oldest event that the broker has not acknowledged",
        &["topic"]
    )
    .expect("the name is registered once")
});

/// Events acknowledged by the broker.
pub(crate) static SENT: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_outbox_sent_total",
        "Events acknowledged by the broker"
    )
    .expect("the name is registered once")
});

/// Sends that failed; each is tried again.
pub(crate) static ERRORS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_outbox_errors_total",
        "Sends of events that failed"
    )
    .expect("the name is registered once")
});

/// Events acknowledged in one page.
pub(crate) static BATCH: LazyLock<Histogram> = LazyLock::new(|| {
    register_histogram!(
        "marketplace_outbox_batch_events",
        "Events acknowledged in one page of a pass",
        vec![0.0, 1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0]
    )
    .expect("the name is registered once")
});

/// 1 where this process is the sender of a shard of the order events, or of a topic beside them.
pub(crate) static LEADER: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "marketplace_outbox_leader",
        "Whether this process sends the events of the shard, or of the topic beside the order events",
        &["shard"]
    )
    .expect("the name is registered once")
});

/// Shows every series before the first event.
pub(crate) fn announce() {
    LazyLock::force(&SENT);
    LazyLock::force(&ERRORS);
    LazyLock::force(&BATCH);
}
