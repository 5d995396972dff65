//! The stream reader's metrics, by topic: a process may follow several.

use std::sync::LazyLock;

use prometheus::{
    IntCounter, IntCounterVec, IntGauge, IntGaugeVec, register_int_counter_vec,
    register_int_gauge_vec,
};

fn counters(name: &str, help: &str) -> IntCounterVec {
    register_int_counter_vec!(name, help, &["topic"]).expect("the name is registered once")
}

fn gauges(name: &str, help: &str) -> IntGaugeVec {
    register_int_gauge_vec!(name, help, &["topic"]).expect("the name is registered once")
}

static EVENTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters(
        "marketplace_stream_events_total",
        "Events read from the topic",
    )
});
static PASSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters(
        "marketplace_stream_passed_total",
        "Messages of the topic that were repeats or no events of it",
    )
});
static UNREADABLE: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters(
        "marketplace_stream_unreadable_total",
        "Messages of the topic that cannot be read; their readers were given a gap",
    )
});
static LAG: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    gauges(
        "marketplace_stream_lag_messages",
        "Messages not yet read from the topic",
    )
});
static LOG_BYTES: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    gauges(
        "marketplace_stream_log_bytes",
        "Estimated memory of the event log",
    )
});
static SCOPES: LazyLock<IntGaugeVec> =
    LazyLock::new(|| gauges("marketplace_stream_scopes", "Scopes that have a reader"));
static REPLAYS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters(
        "marketplace_stream_replays_total",
        "Readers that went back to the topic for events older than the log",
    )
});
static SCANS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters(
        "marketplace_stream_scans_total",
        "Scans of the topic for all readers of a few entities that were behind the log",
    )
});
static GAPS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counters(
        "marketplace_stream_gaps_total",
        "Gaps that readers were told of",
    )
});

/// The metrics of one topic, all shown from the start, so that nothing is missing for want of a first event.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// Events that went into the log.
    pub(crate) events: IntCounter,
    /// Messages that were repeats or no events of the topic.
    pub(crate) passed: IntCounter,
    /// Messages that cannot be read, of topics whose readers are told.
    pub(crate) unreadable: IntCounter,
    /// Messages between the end of the log and the end of the topic.
    pub(crate) lag: IntGauge,
    /// Memory of the shared log.
    pub(crate) log_bytes: IntGauge,
    /// Scopes with at least one reader.
    pub(crate) scopes: IntGauge,
    /// Readers that had to read from the topic.
    pub(crate) replays: IntCounter,
    /// Scans of the topic that several readers share.
    pub(crate) scans: IntCounter,
    /// Gaps that readers got.
    pub(crate) gaps: IntCounter,
}

impl Metrics {
    /// Those of `topic`.
    pub(crate) fn of(topic: &str) -> Self {
        let labels = &[topic];
        Self {
            events: EVENTS.with_label_values(labels),
            passed: PASSED.with_label_values(labels),
            unreadable: UNREADABLE.with_label_values(labels),
            lag: LAG.with_label_values(labels),
            log_bytes: LOG_BYTES.with_label_values(labels),
            scopes: SCOPES.with_label_values(labels),
            replays: REPLAYS.with_label_values(labels),
            scans: SCANS.with_label_values(labels),
            gaps: GAPS.with_label_values(labels),
        }
    }
}
