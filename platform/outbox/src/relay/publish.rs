//! Sends one page of events: entities, such as orders, side by side, the events of each one after another.
//!
//! Invariant: an event is handed to the producer only after every earlier version of its entity was
//! acknowledged. So no failure, time-out or repeat of the producer can put two versions in the wrong order, and
//! a failed send holds up the later rows of its own entity and nobody else's.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
};

use super::row::{Acked, Message, Unsent};
use futures::{StreamExt as _, stream::FuturesUnordered};

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

/// Sends the rows with `send`, which answers (partition, offset). Rows whose key is in `blocked` are left out;
/// keys with a failed send are added to it.
pub(crate) async fn send_page<F, Sending>(
    rows: Vec<Unsent>,
    blocked: &mut HashSet<String>,
    send: F,
) -> Sent
where
    F: Fn(Message) -> Sending,
    Sending: Future<Output = Result<(i32, i64), Fault>>,
{
    let rows = rows.into_iter();
    let entities = by_key(rows.filter(|row| !blocked.contains(&row.message.key)));
    let sending = entities.into_iter().map(|rows| send_entity(rows, &send));
    let mut sending: FuturesUnordered<_> = sending.collect();
    let mut sent = Sent::default();
    while let Some((key, acked, fault)) = sending.next().await {
        sent.acked.extend(acked);
        match fault {
            None => continue,
            Some(Fault::Message) => sent.message_faults += 1,
            Some(Fault::Broker) => sent.broker_faults += 1,
        }
        blocked.extend(key);
    }
    sent
}

async fn send_entity<F, Sending>(
    rows: Vec<Unsent>,
    send: &F,
) -> (Option<String>, Vec<Acked>, Option<Fault>)
where
    F: Fn(Message) -> Sending,
    Sending: Future<Output = Result<(i32, i64), Fault>>,
{
    let key = rows.first().map(|row| row.message.key.clone());
    let mut acked = Vec::with_capacity(rows.len());
    for Unsent { id, message } in rows {
        match send(message).await {
            Ok((partition, offset)) => acked.push(Acked {
                id,
                partition,
                offset,
            }),
            Err(fault) => return (key, acked, Some(fault)),
        }
    }
    (key, acked, None)
}

/// Groups rows, keeping their order within each group.
fn by_key(rows: impl Iterator<Item = Unsent>) -> Vec<Vec<Unsent>> {
    let mut groups: Vec<Vec<Unsent>> = Vec::new();
    let mut index = HashMap::new();
    for row in rows {
        let next = groups.len();
        let group = *index.entry(row.message.key.clone()).or_insert(next);
        if group == next {
            groups.push(Vec::new());
        }
        groups[group].push(row);
    }
    groups
}
