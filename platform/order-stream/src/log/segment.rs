//! A run of logged events with its indexes; the unit of eviction.

use std::{collections::HashMap, mem::size_of, sync::Arc};

use schema::{
    event::OrderEvent,
    id::{OrderId, UserId},
};

use crate::{cursor::Cursor, scope::Scope};

/// Amortised cost of the two index entries and the reference counts, in bytes.
const INDEX_BYTES: usize = 160;

/// One logged event.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) event: Arc<OrderEvent>,
    pub(crate) partition: usize,
    pub(crate) offset: i64,
    /// The end of the log just after this event.
    pub(crate) after: Cursor,
}

impl Entry {
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + size_of::<OrderEvent>()
            + self.event.traceparent.as_ref().map_or(0, String::len)
            + size_of_val(self.after.offsets())
            + INDEX_BYTES
    }
}

/// Consecutive entries, the first at position `base` of the log.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base: u64,
    pub(crate) bytes: usize,
    entries: Vec<Entry>,
    by_order: HashMap<OrderId, Vec<usize>>,
    by_user: HashMap<UserId, Vec<usize>>,
}

impl Segment {
    pub(crate) fn new(base: u64) -> Self {
        Self {
            base,
            bytes: 0,
            entries: Vec::new(),
            by_order: HashMap::new(),
            by_user: HashMap::new(),
        }
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        let index = self.entries.len();
        self.by_order
            .entry(entry.event.order_id)
            .or_default()
            .push(index);
        self.by_user
            .entry(entry.event.user_id)
            .or_default()
            .push(index);
        self.bytes += entry.bytes();
        self.entries.push(entry);
    }

    /// The position after the last entry.
    pub(crate) fn end(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    pub(crate) fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// The first entry in scope at `position` or later, with its position.
    pub(crate) fn find(&self, scope: Scope, position: u64) -> Option<(u64, &Entry)> {
        let from = usize::try_from(position.saturating_sub(self.base)).ok()?;
        let index = match scope {
            Scope::All => Some(from),
            Scope::Order(order) => first_from(self.by_order.get(&order)?, from),
            Scope::User(user) => first_from(self.by_user.get(&user)?, from),
        }?;
        self.entries
            .get(index)
            .map(|entry| (self.base + index as u64, entry))
    }

    /// The position of the first entry that is not wholly below `cursor`.
    pub(crate) fn first_beyond(&self, cursor: &Cursor) -> u64 {
        self.base
            + self
                .entries
                .partition_point(|entry| cursor.covers(&entry.after)) as u64
    }
}

fn first_from(indexes: &[usize], from: usize) -> Option<usize> {
    indexes
        .get(indexes.partition_point(|index| *index < from))
        .copied()
}
