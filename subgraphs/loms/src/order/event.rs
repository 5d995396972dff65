//! The events of a transaction: one for each version of an order, built from the rows that were written.

use ::schema::{
    event::{OrderEvent, OrderStatus},
    id::Sku,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::model::{Decisions, Order};

/// The events of `decisions`, ascending by version within each order; `created` are the new orders as they were stored.
pub(super) fn events(
    created: &[Order],
    decisions: &Decisions<'_>,
    now: DateTime<Utc>,
) -> Vec<OrderEvent> {
    let mut events = Vec::with_capacity(2 * created.len() + decisions.updates.len());
    for (order, new) in created.iter().zip(&decisions.new_orders) {
        let first = Order {
            status: OrderStatus::New,
            version: 1,
            ..*order
        };
        let skus: Vec<Sku> = new.lines.needs().skus().collect();
        events.push(event(&first, skus.clone(), now, new.traceparent));
        events.push(event(order, skus, now, new.traceparent));
    }
    let updates = decisions.updates.iter();
    events.extend(updates.map(|update| {
        let skus = update.skus.clone();
        event(&update.order, skus, now, update.traceparent)
    }));
    events
}

fn event(
    order: &Order,
    skus: Vec<Sku>,
    now: DateTime<Utc>,
    traceparent: Option<&str>,
) -> OrderEvent {
    OrderEvent {
        event_id: Uuid::now_v7(),
        order_id: order.id,
        user_id: order.user_id,
        version: order.version,
        status: order.status,
        moment: now,
        skus,
        traceparent: traceparent.map(str::to_owned),
    }
}
