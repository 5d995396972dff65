//! What the notifier tells Prometheus.

use std::sync::LazyLock;

use chassis::telemetry::{Latency, REQUEST_SECONDS};
use prometheus::{
    IntCounter, IntCounterVec, IntGauge, IntGaugeVec, register_int_counter,
    register_int_counter_vec, register_int_gauge, register_int_gauge_vec,
};

fn counter(name: &str, help: &str) -> IntCounter {
    register_int_counter!(name, help).expect("the name is registered once")
}

/// Events by what became of them.
pub(crate) static EVENTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_notifier_events_total",
        "Order events by what became of them: handled, duplicate, or dead_letter",
        &["outcome"]
    )
    .expect("the name is registered once")
});

/// From a change to its effect.
pub(crate) static EVENT_AGE: LazyLock<Latency> = LazyLock::new(|| {
    Latency::register(
        "marketplace_notifier_event_age_seconds",
        "Time from a status change to its effect",
        &[],
        &[
            0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 600.0,
        ],
    )
});

/// How long a batch takes.
pub(crate) static HANDLE: LazyLock<Latency> = LazyLock::new(|| {
    Latency::register(
        "marketplace_notifier_handle_seconds",
        "Time of one batch: its transaction and its deliveries",
        &[],
        REQUEST_SECONDS,
    )
});

/// Messages between what is handled and the end of the partition.
pub(crate) static LAG: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "marketplace_notifier_lag_messages",
        "Messages of the partition that this group has not handled",
        &["partition"]
    )
    .expect("the name is registered once")
});

/// Requests to the webhook's receiver by what became of them.
pub(crate) static WEBHOOKS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_notifier_webhook_requests_total",
        "Requests to the webhook's receiver: taken, failed and tried again, or parked as refused",
        &["outcome"]
    )
    .expect("the name is registered once")
});

/// Events that the webhook's receiver has not taken.
pub(crate) static WEBHOOK_QUEUE: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!(
        "marketplace_notifier_webhook_queue_events",
        "Order events that the webhook's receiver has not taken"
    )
    .expect("the name is registered once")
});

/// Shows every series before the first event.
pub(crate) fn announce() {
    for outcome in ["handled", "duplicate", "dead_letter"] {
        EVENTS.with_label_values(&[outcome]).inc_by(0);
    }
    for outcome in ["taken", "failed", "parked"] {
        WEBHOOKS.with_label_values(&[outcome]).inc_by(0);
    }
    LazyLock::force(&WEBHOOK_QUEUE);
    EVENT_AGE.announce(&[]);
    HANDLE.announce(&[]);
    LazyLock::force(&DELIVERED);
    LazyLock::force(&RETRIES);
}

/// Notifications that a sink took.
pub(crate) static DELIVERED: LazyLock<IntCounter> = LazyLock::new(|| {
    counter(
        "marketplace_notifier_delivered_total",
        "Notifications that a sink took",
    )
});

/// Batches that failed and were tried again.
pub(crate) static RETRIES: LazyLock<IntCounter> = LazyLock::new(|| {
    counter(
        "marketplace_notifier_retries_total",
        "Batches that failed and were tried again",
    )
});
