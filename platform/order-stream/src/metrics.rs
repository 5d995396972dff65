//! The stream reader's metrics.

use std::sync::LazyLock;

use prometheus::{IntCounter, IntGauge, register_int_counter, register_int_gauge};

/// Events that went into the log.
pub(crate) static EVENTS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_stream_events_total",
        "Order events read from the topic"
    )
    .expect("the name is registered once")
});

/// Messages that were repeats or no order events.
pub(crate) static PASSED: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_stream_passed_total",
        "Messages of the topic that were repeats or no order events"
    )
    .expect("the name is registered once")
});

/// Messages between the end of the log and the end of the topic.
pub(crate) static LAG: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!(
        "marketplace_stream_lag_messages",
        "Messages not yet read from the topic"
    )
    .expect("the name is registered once")
});

/// Memory of the shared log.
pub(crate) static LOG_BYTES: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!(
        "marketplace_stream_log_bytes",
        "Estimated memory of the event log"
    )
    .expect("the name is registered once")
});

/// Scopes with at least one reader.
pub(crate) static SCOPES: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("marketplace_stream_scopes", "Scopes that have a reader")
        .expect("the name is registered once")
});

/// Readers that had to read from the topic.
pub(crate) static REPLAYS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_stream_replays_total",
        "Readers that went back to the topic for events older than the log"
    )
    .expect("the name is registered once")
});

/// Scans of the topic that several readers share.
pub(crate) static SCANS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_stream_scans_total",
        "Scans of the topic for all readers of orders and buyers that were behind the log"
    )
    .expect("the name is registered once")
});

/// Gaps that readers got.
pub(crate) static GAPS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_stream_gaps_total",
        "Gaps that readers were told of"
    )
    .expect("the name is registered once")
});

/// Shows every metric from the start, so that nothing is missing for want of a first event.
pub(crate) fn announce() {
    for counter in [&EVENTS, &PASSED, &REPLAYS, &SCANS, &GAPS] {
        LazyLock::force(counter);
    }
    for gauge in [&LAG, &LOG_BYTES, &SCOPES] {
        LazyLock::force(gauge);
    }
}
