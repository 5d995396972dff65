//! Sends events: entities, such as orders, side by side, the events of each one after another.
//!
//! Invariant: an event is handed to the producer only after every earlier version of its entity was
//! acknowledged. So no failure, time-out or repeat of the producer can put two versions in the wrong order, and
//! a failed send holds up the later rows of its own entity and nobody else's. Nor does one that waits: a partition without a
//! leader has its entities wait, and those of the others go on.

use std::{
    collections::{HashMap, HashSet},
    ops::AddAssign,
    sync::Arc,
    time::Duration,
};

use super::row::{Acked, Message, Unsent};
use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::{Instant, timeout_at};

/// Why an event was not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The broker does not take this message; others may pass.
    Message,
    /// The broker, or the way to it, is out of order.
    Broker,
}

/// What came of sends.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) acked: Vec<Acked>,
    pub(crate) faults: Faults,
}

/// How many sends failed.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Faults {
    pub(crate) of_messages: usize,
    pub(crate) of_broker: usize,
}

impl Faults {
    pub(crate) const fn all(self) -> usize {
        self.of_messages + self.of_broker
    }
}

impl AddAssign for Faults {
    fn add_assign(&mut self, more: Self) {
        self.of_messages += more.of_messages;
        self.of_broker += more.of_broker;
    }
}

/// The rows of one entity, as far as they came.
struct Landed {
    key: String,
    rows: usize,
    acked: Vec<Acked>,
    fault: Option<Fault>,
}

/// Sends one event, and says its partition and offset.
type SendOne = Arc<dyn Fn(Message) -> BoxFuture<'static, Result<(i32, i64), Fault>> + Send + Sync>;

/// Sends that are under way.
pub(crate) struct Flight {
    send: SendOne,
    sending: FuturesUnordered<BoxFuture<'static, Landed>>,
    /// Entities under way, and those of which a send failed.
    closed: HashSet<String>,
    rows: usize,
}

impl Flight {
    pub(crate) fn new<F>(send: F) -> Self
    where
        F: Fn(Message) -> BoxFuture<'static, Result<(i32, i64), Fault>> + Send + Sync + 'static,
    {
        Self {
            send: Arc::new(send),
            sending: FuturesUnordered::new(),
            closed: HashSet::new(),
            rows: 0,
        }
    }

    /// Sends the rows but those of entities that are under way, and of those of which a send failed.
    pub(crate) fn add(&mut self, rows: Vec<Unsent>) {
        let rows = rows.into_iter();
        let open: Vec<Unsent> = rows.filter(|row| self.is_open(row)).collect();
        for (key, rows) in by_key(open) {
            self.closed.insert(key.clone());
            self.rows += rows.len();
            let sending = send_entity(key, rows, Arc::clone(&self.send));
            self.sending.push(Box::pin(sending));
        }
    }

    /// Whether nothing of the row's entity is under way or has failed.
    pub(crate) fn is_open(&self, row: &Unsent) -> bool {
        !self.closed.contains(&row.message.key)
    }

    /// Waits until all is over, but no longer than `limit`; what came meanwhile.
    ///
    /// # Cancel safety
    /// What was acknowledged meanwhile is forgotten.
    pub(crate) async fn land(&mut self, limit: Duration) -> Sent {
        let until = Instant::now() + limit;
        let mut sent = Sent::default();
        while let Ok(Some(landed)) = timeout_at(until, self.sending.next()).await {
            self.rows -= landed.rows;
            sent.acked.extend(landed.acked);
            match landed.fault {
                None => drop(self.closed.remove(&landed.key)),
                Some(Fault::Message) => sent.faults.of_messages += 1,
                Some(Fault::Broker) => sent.faults.of_broker += 1,
            }
        }
        sent
    }

    /// How many rows are under way.
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }
}

async fn send_entity(key: String, rows: Vec<Unsent>, send: SendOne) -> Landed {
    let mut landed = Landed {
        key,
        rows: rows.len(),
        acked: Vec::with_capacity(rows.len()),
        fault: None,
    };
    for Unsent { id, message } in rows {
        match send(message).await {
            Ok((partition, offset)) => landed.acked.push(Acked {
                id,
                partition,
                offset,
            }),
            Err(fault) => {
                landed.fault = Some(fault);
                break;
            }
        }
    }
    landed
}

/// Groups rows, keeping their order within each group.
fn by_key(rows: Vec<Unsent>) -> Vec<(String, Vec<Unsent>)> {
    let mut groups: Vec<(String, Vec<Unsent>)> = Vec::new();
    let mut index = HashMap::new();
    for row in rows {
        let (key, next) = (row.message.key.clone(), groups.len());
        let group = *index.entry(key.clone()).or_insert(next);
        if group == next {
            groups.push((key, Vec::new()));
        }
        groups[group].1.push(row);
    }
    groups
}
