//! What operators see of the streams; labels are bounded by the schema.

use std::sync::LazyLock;

use prometheus::{Histogram, IntCounterVec, IntGaugeVec};

/// Open streams by root field.
pub(super) static SUBSCRIBERS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
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

/// From an event's moment to its frame.
pub(super) static EVENT_TO_FRAME: LazyLock<Histogram> = LazyLock::new(|| {
    prometheus::register_histogram!(
        "marketplace_router_event_to_frame_seconds",
        "Time from a status change to its frame, for streams that are at the log's end.",
        vec![
            0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0
        ]
    )
    .expect("registered once")
});
