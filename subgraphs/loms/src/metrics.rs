//! The order service's Prometheus metrics.

use std::{sync::LazyLock, time::Duration};

use ::schema::event::OrderStatus;
use chassis::telemetry::{Latency, REQUEST_SECONDS};
use loms_domain::{lines::Needs, order::StockEffect};
use prometheus::{
    Histogram, IntCounter, IntCounterVec, IntGauge, register_histogram, register_int_counter,
    register_int_counter_vec, register_int_gauge,
};

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
        "Units of stock that orders reserved, released or sold",
        &["action"]
    )
    .expect("the name is registered once")
});

/// Open streams of order events.
static ORDER_STREAMS: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!(
        "marketplace_loms_order_streams_open",
        "Streams of order events over gRPC that are open"
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
    LazyLock::force(&ORDER_STREAMS);
    LazyLock::force(&EXPIRED);
    LazyLock::force(&RETRIES);
}

/// What a transaction changes; reported once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    created: Vec<OrderStatus>,
    changes: Vec<OrderStatus>,
    units: Vec<(&'static str, u64)>,
}

impl Counts {
    /// Adds an order that is made, with the status that it got.
    pub(crate) fn created(&mut self, status: OrderStatus, effect: StockEffect, needs: &Needs) {
        self.created.push(status);
        self.changes.push(OrderStatus::New);
        self.changed(status, effect, needs);
    }

    /// Adds a status that an order took.
    pub(crate) fn changed(&mut self, status: OrderStatus, effect: StockEffect, needs: &Needs) {
        self.changes.push(status);
        let action = match effect {
            StockEffect::Reserve => "reserved",
            StockEffect::Release => "released",
            StockEffect::Deduct => "sold",
            StockEffect::Untouched => return,
        };
        self.units.push((action, needs.units()));
    }

    /// Adds all of it to the metrics.
    pub(crate) fn report(&self) {
        for status in &self.created {
            CREATED.with_label_values(&[status.as_str()]).inc();
        }
        for status in &self.changes {
            CHANGES.with_label_values(&[status.as_str()]).inc();
        }
        for (action, units) in &self.units {
            UNITS.with_label_values(&[action]).inc_by(*units);
        }
    }
}

/// Requests of one transaction.
static GROUP_SIZE: LazyLock<Histogram> = LazyLock::new(|| {
    register_histogram!(
        "marketplace_loms_group_requests",
        "Changes of orders that shared one transaction",
        vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]
    )
    .expect("the name is registered once")
});

/// Time of one group.
static GROUP_SECONDS: LazyLock<Latency> = LazyLock::new(|| {
    Latency::register(
        "marketplace_loms_group_seconds",
        "Time of one transaction over a group of changes",
        &[],
        REQUEST_SECONDS,
    )
});

/// Requests that wait for what another transaction has locked.
static ASIDE: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!(
        "marketplace_loms_aside_requests",
        "Changes of orders that wait for a row or key that another transaction has locked"
    )
    .expect("the name is registered once")
});

/// Requests that found the queue full.
static QUEUE_FULL: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!(
        "marketplace_loms_queue_full_total",
        "Changes of orders refused because too many waited"
    )
    .expect("the name is registered once")
});

/// Shows the series of groups before the first.
pub(crate) fn announce_groups() {
    LazyLock::force(&GROUP_SIZE);
    LazyLock::force(&QUEUE_FULL);
    LazyLock::force(&ASIDE);
    GROUP_SECONDS.announce(&[]);
}

/// Counts a group.
pub(crate) fn group(requests: usize, took: Duration) {
    GROUP_SIZE.observe(f64::from(u32::try_from(requests).unwrap_or(u32::MAX)));
    GROUP_SECONDS.observe(&[], took.as_secs_f64());
}

/// Shows how many requests wait for what others have locked.
pub(crate) fn set_aside(requests: usize) {
    ASIDE.set(i64::try_from(requests).unwrap_or(i64::MAX));
}

/// Counts a request that found the queue full.
pub(crate) fn queue_full() {
    QUEUE_FULL.inc();
}

/// Counts orders that were cancelled unpaid.
pub(crate) fn expired(orders: usize) {
    EXPIRED.inc_by(u64::try_from(orders).unwrap_or(u64::MAX));
}

/// Counts a stream of order events that was opened.
pub(crate) fn order_stream_opened() {
    ORDER_STREAMS.inc();
}

/// Counts one that has ended.
pub(crate) fn order_stream_closed() {
    ORDER_STREAMS.dec();
}

/// Counts a transaction that runs again.
pub(crate) fn retried() {
    RETRIES.inc();
}
