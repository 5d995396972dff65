//! What the comments service tells Prometheus.

use std::sync::LazyLock;

use prometheus::{IntCounterVec, register_int_counter_vec};

static WRITTEN: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_comments_written_total",
        "Comments added and edited",
        &["action"]
    )
    .expect("the name is registered once")
});

/// Shows every series before the first comment.
pub(crate) fn announce() {
    for action in ["added", "edited"] {
        WRITTEN.with_label_values(&[action]).inc_by(0);
    }
}

pub(crate) fn added() {
    WRITTEN.with_label_values(&["added"]).inc();
}

pub(crate) fn edited() {
    WRITTEN.with_label_values(&["edited"]).inc();
}
