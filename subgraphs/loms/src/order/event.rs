//! The events of a transaction: one for each version of an order, built from the rows that were written.

use ::schema::event::{OrderEvent, OrderStatus};
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
        events.push(event(&first, now, new.traceparent));
        events.push(event(order, now, new.traceparent));
    }
    let updates = decisions.updates.iter();
    events.extend(updates.map(|update| event(&update.order, now, update.traceparent)));
    events
}

fn event(order: &Order, now: DateTime<Utc>, traceparent: Option<&str>) -> OrderEvent {
    OrderEvent {
        event_id: Uuid::now_v7(),
        order_id: order.id,
        user_id: order.user_id,
        version: order.version,
        status: order.status,
        moment: now,
        traceparent: traceparent.map(str::to_owned),
    }
}
