//! What operators see of admission. Labels are doors and classes.

use std::sync::LazyLock;

use prometheus::{
    HistogramVec, IntCounterVec, IntGaugeVec, register_histogram_vec, register_int_counter_vec,
    register_int_gauge_vec,
};

use super::priority::Priority;

const LABELS: [&str; 2] = ["door", "class"];

pub(super) static ADMITTED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_admission_admitted_total",
        "Requests that got a place, by door and class.",
        &LABELS
    )
    .expect("the name is registered once")
});

pub(super) static REFUSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_admission_refused_total",
        "Requests that got no place in time and were refused, by door and class.",
        &LABELS
    )
    .expect("the name is registered once")
});

pub(super) static WAIT: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        "marketplace_admission_wait_seconds",
        "Time until a place or a refusal, by door and class.",
        &LABELS,
        vec![0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0]
    )
    .expect("the name is registered once")
});

pub(super) static PLACES: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "marketplace_admission_places",
        "Requests that may be worked on at once.",
        &["limiter"]
    )
    .expect("the name is registered once")
});

pub(super) static TAKEN: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "marketplace_admission_places_taken",
        "Requests that are worked on.",
        &["limiter"]
    )
    .expect("the name is registered once")
});

/// Shows the series of a door before its first request.
pub(super) fn announce(door: &str) {
    for class in Priority::ALL {
        ADMITTED
            .with_label_values(&[door, class.as_str()])
            .inc_by(0);
        REFUSED.with_label_values(&[door, class.as_str()]).inc_by(0);
        drop(WAIT.get_metric_with_label_values(&[door, class.as_str()]));
    }
}
