//! A run of logged events with its indexes; the unit of eviction.

use std::{collections::HashMap, mem::size_of, sync::Arc};

use crate::{
    cursor::Cursor,
    event::{Event, Selection},
};

/// One logged event.
#[derive(Debug)]
pub(crate) struct Entry<E> {
    pub(crate) event: Arc<E>,
    pub(crate) partition: usize,
    pub(crate) offset: i64,
    /// The end of the log just after this event.
    pub(crate) after: Cursor,
}

impl<E: Event> Entry<E> {
    fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(self.after.offsets()) + self.event.bytes()
    }
}

/// What an event is found by.
type KeyOf<E> = <<E as Event>::Scope as Selection>::Key;

/// Consecutive entries, the first at position `base` of the log.
#[derive(Debug)]
pub(crate) struct Segment<E: Event> {
    pub(crate) base: u64,
    pub(crate) bytes: usize,
    entries: Vec<Entry<E>>,
    /// Where the events with each key are, ascending.
    index: HashMap<KeyOf<E>, Vec<u32>>,
    /// Where the messages are that cannot be read, ascending: a scope's keys do not find them.
    unreadable: Vec<u32>,
}

impl<E: Event> Segment<E> {
    pub(crate) fn new(base: u64) -> Self {
        Self {
            base,
            bytes: 0,
            entries: Vec::new(),
            index: HashMap::new(),
            unreadable: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, entry: Entry<E>) {
        // A segment is full long before.
        let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        if entry.event.fault().is_some() {
            self.unreadable.push(index);
        } else {
            for key in E::Scope::keys_of(&entry.event) {
                self.index.entry(key).or_default().push(index);
            }
        }
        self.bytes += entry.bytes();
        self.entries.push(entry);
    }

    /// The position after the last entry.
    pub(crate) fn end(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    pub(crate) fn last(&self) -> Option<&Entry<E>> {
        self.entries.last()
    }

    /// The first entry in scope at `position` or later, with its position.
    pub(crate) fn find(&self, scope: &E::Scope, position: u64) -> Option<(u64, &Entry<E>)> {
        let from = usize::try_from(position.saturating_sub(self.base)).ok()?;
        let found = self.first(scope, from);
        let index = match (found, self.first_unreadable(scope, from)) {
            (Some(found), Some(unreadable)) => found.min(unreadable),
            (found, unreadable) => found.or(unreadable)?,
        };
        self.entries
            .get(index)
            .map(|entry| (self.base + index as u64, entry))
    }

    /// The index of the first entry in scope from `from` on, which may be behind the last where all are. The lists of the keys
    /// take turns: each leaps to where the one before it is, so it takes no more steps than the shortest list has.
    fn first(&self, scope: &E::Scope, from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let before = at;
            for key in scope.keys() {
                at = first_from(self.index.get(&key)?, at)?;
            }
            if at == before {
                return Some(at);
            }
        }
    }

    fn first_unreadable(&self, scope: &E::Scope, from: usize) -> Option<usize> {
        let mut indexes = self.unreadable.iter();
        let indexes = indexes.by_ref().filter_map(|it| usize::try_from(*it).ok());
        let mut indexes = indexes.filter(|index| *index >= from);
        indexes.find(|index| {
            let entry = self.entries.get(*index);
            entry.is_some_and(|entry| scope.contains(&entry.event))
        })
    }

    /// The position of the first entry that is not wholly below `cursor`.
    pub(crate) fn first_beyond(&self, cursor: &Cursor) -> u64 {
        self.base
            + self
                .entries
                .partition_point(|entry| cursor.covers(&entry.after)) as u64
    }
}

/// The first of the indexes that is not below `from`.
fn first_from(indexes: &[u32], from: usize) -> Option<usize> {
    let below = |index: &u32| usize::try_from(*index).is_ok_and(|index| index < from);
    let found = indexes.get(indexes.partition_point(below))?;
    usize::try_from(*found).ok()
}
