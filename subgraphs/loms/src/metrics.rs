//! What the order service tells Prometheus.

use std::sync::LazyLock;

use ::schema::event::OrderStatus;
use prometheus::{IntCounter, IntCounterVec, register_int_counter, register_int_counter_vec};

/// Orders that were made, by the status that they got.
static CREATED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_loms_orders_created_total",
        "Orders made, by the status that they got",
        &["status"]
    )
    .expect("the name is registered once")
});

/// Orders that were cancelled because nobody paid.
static EXPIRED: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_loms_orders_expired_total",
        "Orders cancelled because they were not paid in time"
    )
    .expect("the name is registered once")
});

/// Transactions that met another and ran again.
static RETRIES: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_loms_transaction_retries_total",
        "Transactions that ran again after a deadlock or a serialisation failure"
    )
    .expect("the name is registered once")
});

/// Counts an order that was made.
pub(crate) fn created(status: OrderStatus) {
    CREATED.with_label_values(&[status.as_str()]).inc();
}

/// Counts orders that were cancelled unpaid.
pub(crate) fn expired(orders: usize) {
    EXPIRED.inc_by(u64::try_from(orders).unwrap_or(u64::MAX));
}

/// Counts a transaction that runs again.
pub(crate) fn retried() {
    RETRIES.inc();
}
