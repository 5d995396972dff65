//! What operators see of the streams; labels are bounded by the schema.

use std::sync::{Arc, LazyLock};

use chassis::telemetry::Latency;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

static SUBSCRIBERS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    prometheus::register_int_gauge_vec!(
        "marketplace_router_subscribers",
        "Open subscriptions by root field.",
        &["field"]
    )
    .expect("registered once")
});

/// Frames by kind.
pub(super) static FRAMES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    prometheus::register_int_counter_vec!(
        "marketplace_router_frames_total",
        "Frames handed to clients by kind.",
        &["kind"]
    )
    .expect("registered once")
});

/// Groups of streams whose frames are alike.
pub(super) static GROUPS: LazyLock<IntGauge> = LazyLock::new(|| {
    prometheus::register_int_gauge!(
        "marketplace_router_stream_groups",
        "Groups of open subscriptions that share their frames: the same operation with the same rights."
    )
    .expect("registered once")
});

/// Frames that another stream had completed.
pub(super) static SHARED: LazyLock<IntCounter> = LazyLock::new(|| {
    prometheus::register_int_counter!(
        "marketplace_router_frames_shared_total",
        "Frames that another stream of the group had completed."
    )
    .expect("registered once")
});

/// Tries of frames after the first.
pub(super) static RETRIES: LazyLock<IntCounter> = LazyLock::new(|| {
    prometheus::register_int_counter!(
        "marketplace_router_frame_retries_total",
        "Tries to complete a frame after the first, because something could not be read for the moment."
    )
    .expect("registered once")
});

/// From an event's instant to its frame.
pub(super) static EVENT_TO_FRAME: LazyLock<Latency> = LazyLock::new(|| {
    Latency::register(
        "marketplace_router_event_to_frame_seconds",
        "Time from a status change, or from the stream's begin where that came later, until its frame is written.",
        &[],
        &[
            0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0,
        ],
    )
});

/// The label of every field of others' subgraphs: their names are anybody's.
pub(super) const OF_OTHERS: &str = "other";

/// Shows every series before the first stream.
pub(super) fn announce() {
    announce_field(OF_OTHERS);
    for kind in ["SNAPSHOT", "CHANGE", "GAP"] {
        FRAMES.with_label_values(&[kind]).inc_by(0);
    }
    LazyLock::force(&GROUPS);
    LazyLock::force(&SHARED);
    LazyLock::force(&RETRIES);
    EVENT_TO_FRAME.announce(&[]);
}

/// Shows the series of a field before its first stream.
pub(super) fn announce_field(field: &str) {
    SUBSCRIBERS.with_label_values(&[field]).add(0);
}

/// Counts an open stream until it is dropped.
#[derive(Debug)]
pub(super) struct OpenStream(Arc<str>);

impl OpenStream {
    pub(super) fn count(field: Arc<str>) -> Self {
        SUBSCRIBERS.with_label_values(&[&*field]).inc();
        Self(field)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        SUBSCRIBERS.with_label_values(&[&*self.0]).dec();
    }
}
