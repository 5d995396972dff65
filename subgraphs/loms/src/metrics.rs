//! What the order service tells Prometheus.

use std::sync::LazyLock;

use ::schema::event::OrderStatus;
use loms_domain::{lines::Needs, order::StockEffect};
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

/// Changes of orders, by the status that they brought.
static CHANGES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_loms_order_changes_total",
        "Changes of orders, by the status that they brought",
        &["status"]
    )
    .expect("the name is registered once")
});

/// Units that orders moved.
static UNITS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_loms_units_total",
        "Units of stock that orders reserved, released or sold, counted when decided: before the commit",
        &["action"]
    )
    .expect("the name is registered once")
});

const STATUSES: [OrderStatus; 5] = [
    OrderStatus::New,
    OrderStatus::AwaitingPayment,
    OrderStatus::Failed,
    OrderStatus::Paid,
    OrderStatus::Cancelled,
];

/// Shows every series before the first order.
pub(crate) fn announce() {
    for status in STATUSES {
        CHANGES.with_label_values(&[status.as_str()]).inc_by(0);
    }
    for status in [OrderStatus::AwaitingPayment, OrderStatus::Failed] {
        CREATED.with_label_values(&[status.as_str()]).inc_by(0);
    }
    for action in ["reserved", "released", "sold"] {
        UNITS.with_label_values(&[action]).inc_by(0);
    }
    LazyLock::force(&EXPIRED);
    LazyLock::force(&RETRIES);
}

/// Counts a change of an order.
pub(crate) fn changed(status: OrderStatus) {
    CHANGES.with_label_values(&[status.as_str()]).inc();
}

/// Counts units that an order moves.
pub(crate) fn moved(effect: StockEffect, needs: &Needs) {
    let action = match effect {
        StockEffect::Reserve => "reserved",
        StockEffect::Release => "released",
        StockEffect::Deduct => "sold",
        StockEffect::Untouched => return,
    };
    UNITS.with_label_values(&[action]).inc_by(needs.units());
}

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
