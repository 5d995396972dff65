//! Sends one page of events: orders side by side, each order's events one after another.
//!
//! Invariant: an event is handed to the producer only after every earlier version of its order was
//! acknowledged. So no failure, time-out or repeat of the producer can put two versions in the wrong order, and
//! a failed send holds up the later rows of its own order and nobody else's.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use schema::{event::OrderEvent, id::OrderId};

use super::row::{Acked, Unsent};

/// Why an event was not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The broker does not take this message; others may pass.
    Message,
    /// The broker, or the way to it, is out of order.
    Broker,
}

/// The outcome of a page.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) acked: Vec<Acked>,
    pub(crate) message_faults: usize,
    pub(crate) broker_faults: usize,
}

/// Sends the rows with `send`, which answers (partition, offset). Rows of orders in `blocked` are left out;
/// orders with a failed send are added to it.
pub(crate) async fn send_page<F, Sending>(
    rows: Vec<Unsent>,
    blocked: &mut HashSet<OrderId>,
    send: F,
) -> Sent
where
    F: Fn(OrderEvent) -> Sending,
    Sending: Future<Output = Result<(i32, i64), Fault>>,
{
    let orders = by_order(
        rows.into_iter()
            .filter(|row| !blocked.contains(&row.event.order_id)),
    );
    let mut sending: FuturesUnordered<_> = orders
        .into_iter()
        .map(|rows| send_order(rows, &send))
        .collect();
    let mut sent = Sent::default();
    while let Some((order, acked, fault)) = sending.next().await {
        sent.acked.extend(acked);
        match fault {
            None => continue,
            Some(Fault::Message) => sent.message_faults += 1,
            Some(Fault::Broker) => sent.broker_faults += 1,
        }
        blocked.extend(order);
    }
    sent
}

async fn send_order<F, Sending>(
    rows: Vec<Unsent>,
    send: &F,
) -> (Option<OrderId>, Vec<Acked>, Option<Fault>)
where
    F: Fn(OrderEvent) -> Sending,
    Sending: Future<Output = Result<(i32, i64), Fault>>,
{
    let order = rows.first().map(|row| row.event.order_id);
    let mut acked = Vec::with_capacity(rows.len());
    for Unsent { id, event } in rows {
        match send(event).await {
            Ok((partition, offset)) => acked.push(Acked {
                id,
                partition,
                offset,
            }),
            Err(fault) => return (order, acked, Some(fault)),
        }
    }
    (order, acked, None)
}

/// Groups rows, keeping their order within each group.
fn by_order(rows: impl Iterator<Item = Unsent>) -> Vec<Vec<Unsent>> {
    let mut groups: Vec<Vec<Unsent>> = Vec::new();
    let mut index = HashMap::new();
    for row in rows {
        let group = *index.entry(row.event.order_id).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(row);
    }
    groups
}
