//! What the notifier tells Prometheus.

use std::sync::LazyLock;

use prometheus::{IntCounter, register_int_counter};

fn counter(name: &str, help: &str) -> IntCounter {
    register_int_counter!(name, help).expect("the name is registered once")
}

/// Events whose effect was written.
pub(crate) static EFFECTS: LazyLock<IntCounter> = LazyLock::new(|| {
    counter(
        "marketplace_notifier_effects_total",
        "Order events whose effect was written",
    )
});

/// Notifications that a sink took.
pub(crate) static DELIVERED: LazyLock<IntCounter> = LazyLock::new(|| {
    counter(
        "marketplace_notifier_delivered_total",
        "Notifications that a sink took",
    )
});

/// Messages parked as dead letters.
pub(crate) static PARKED: LazyLock<IntCounter> = LazyLock::new(|| {
    counter(
        "marketplace_notifier_parked_total",
        "Messages parked as dead letters",
    )
});

/// Batches that failed and were tried again.
pub(crate) static RETRIES: LazyLock<IntCounter> = LazyLock::new(|| {
    counter(
        "marketplace_notifier_retries_total",
        "Batches that failed and were tried again",
    )
});
