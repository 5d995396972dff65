//! The bounded log of events that all readers of a process share: a reader is a position in it.
//!
//! Invariant: between `start` and `end` (two cursors) the log holds every event of the topic once, in an order
//! that keeps each partition's. Positions ascend with every event and are never used again; whole segments are
//! evicted from the front. Starting over (another topic, another epoch) changes `generation`, so that no reader
//! can mistake its old position for one in the new log. This module does no I/O and knows no clock.

mod segment;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc};

use uuid::Uuid;

use crate::{
    cursor::Cursor,
    event::Event,
    versions::Versions,
    waiters::{Waiter, Waiters},
};
use segment::{Entry, Segment};

/// Segments a full log is divided into: eviction frees about this share at a time.
const SEGMENTS: usize = 32;

/// One message of the topic as the tail hands it over.
#[derive(Debug, Clone)]
pub(crate) struct Record<E> {
    pub(crate) partition: usize,
    pub(crate) offset: i64,
    /// The `stream-epoch` header; absent on messages of other producers.
    pub(crate) epoch: Option<Uuid>,
    /// Absent when the message is no event of the topic: it is passed over.
    pub(crate) event: Option<E>,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is in the log.
    Kept,
    /// A repeat, a foreign message, or one from before the log's start.
    Passed,
    /// It begins another stream: the log must be started over. Nothing was changed.
    NewEpoch(Uuid),
}

/// Where a reader is in the log.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    generation: u64,
    /// The next log position to look at.
    next: u64,
    /// Events below it were delivered by another reader of the same client; `None` once the log is past it.
    floor: Option<Cursor>,
}

/// A look into the log.
#[derive(Debug)]
pub(crate) enum Polled<E> {
    /// The next event in scope, and the cursor after it.
    Event(Arc<E>, Cursor),
    /// Nothing more for now; the cursor is the log's end.
    AtEnd(Cursor),
    /// The position is no longer in the log: go on from the last cursor.
    Lost,
}

/// The log. Its owner locks it.
#[derive(Debug)]
pub(crate) struct Log<E: Event> {
    segments: VecDeque<Segment<E>>,
    bytes: usize,
    limit: usize,
    tail: u64,
    generation: u64,
    start: Cursor,
    end: Cursor,
    epoch: Uuid,
    live: bool,
    versions: Versions<E::Entity>,
}

impl<E: Event> Log<E> {
    /// An empty log that keeps about `limit` bytes of events.
    pub(crate) fn new(limit: usize) -> Self {
        let nowhere = Cursor::new(Uuid::nil(), &[]);
        Self {
            segments: VecDeque::from([Segment::new(0)]),
            bytes: 0,
            limit,
            tail: 0,
            generation: 0,
            start: nowhere.clone(),
            end: nowhere,
            epoch: Uuid::nil(),
            live: false,
            versions: Versions::default(),
        }
    }

    /// Forgets everything and expects each partition from its offset in `start`. Records below it only teach
    /// the log which versions were sent already. `epoch` is a floor: an older one is not believed again.
    pub(crate) fn start_over(&mut self, start: &[i64], epoch: Uuid) {
        self.epoch = self.epoch.max(epoch);
        self.start = Cursor::new(self.epoch, start);
        self.end = self.start.clone();
        self.segments = VecDeque::from([Segment::new(self.tail)]);
        self.bytes = 0;
        self.generation += 1;
        self.live = false;
        self.versions = Versions::default();
    }

    /// Says that the log has caught up with the topic once.
    pub(crate) fn set_live(&mut self) {
        self.live = true;
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// The highest epoch seen; nil before the first.
    pub(crate) fn epoch(&self) -> Uuid {
        self.epoch
    }

    /// The place after the last record, in the current epoch.
    pub(crate) fn end(&self) -> Cursor {
        self.in_epoch(&self.end)
    }

    /// Estimated memory of the logged events.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the next record of its partition and wakes the readers it concerns.
    pub(crate) fn append(&mut self, record: Record<E>, waiters: &Waiters<E>) -> Appended {
        if let Some(epoch) = record.epoch.filter(|epoch| *epoch > self.epoch) {
            if self.live && !self.epoch.is_nil() {
                return Appended::NewEpoch(epoch);
            }
            self.epoch = epoch;
        }
        let epoch = record.epoch.unwrap_or(self.epoch);
        let first = record
            .event
            .as_ref()
            .is_some_and(|event| self.versions.admits(epoch, event));
        if record.offset < self.end.next(record.partition) {
            return Appended::Passed;
        }
        self.advance(record.partition, record.offset + 1);
        match record.event {
            Some(event) if first => {
                self.push(record.partition, record.offset, event, waiters);
                Appended::Kept
            }
            _ => Appended::Passed,
        }
    }

    /// Moves the end past what the topic has in place of records, such as the markers of transactions: nothing below `next` is
    /// to come any more. Whether there was anything to move.
    pub(crate) fn pass_to(&mut self, partition: usize, next: i64) -> bool {
        let is_ahead = next > self.end.next(partition);
        if is_ahead {
            self.advance(partition, next);
        }
        is_ahead
    }

    fn advance(&mut self, partition: usize, next: i64) {
        let mut offsets = self.end.offsets().to_vec();
        if offsets.len() <= partition {
            offsets.resize(partition + 1, 0);
        }
        offsets[partition] = next;
        self.end = Cursor::new(self.epoch, &offsets);
    }

    fn push(&mut self, partition: usize, offset: i64, event: E, waiters: &Waiters<E>) {
        let event = Arc::new(event);
        let entry = Entry {
            event: event.clone(),
            partition,
            offset,
            after: self.end.clone(),
        };
        let position = self.tail;
        if self
            .segments
            .back()
            .is_none_or(|segment| segment.bytes >= self.limit / SEGMENTS)
        {
            self.segments.push_back(Segment::new(position));
        }
        let segment = self
            .segments
            .back_mut()
            .expect("a segment was pushed when there was none");
        let before = segment.bytes;
        segment.push(entry);
        self.bytes += segment.bytes - before;
        self.tail += 1;
        self.evict();
        waiters.announce(&event, position);
    }

    /// Drops whole segments from the front until the log fits; the one being written stays.
    fn evict(&mut self) {
        while self.bytes > self.limit && self.segments.len() > 1 {
            let Some(segment) = self.segments.pop_front() else {
                return;
            };
            self.bytes -= segment.bytes;
            if let Some(last) = segment.last() {
                self.start = last.after.clone();
            }
        }
    }

    /// Finds the position of a cursor; `None` when events between it and the log's start are not in the log.
    pub(crate) fn position(&self, cursor: &Cursor) -> Option<Position> {
        if !cursor.covers(&self.start) {
            return None;
        }
        let below =
            |segment: &Segment<E>| segment.last().is_none_or(|last| cursor.covers(&last.after));
        let index = self.segments.partition_point(below);
        let next = self
            .segments
            .get(index)
            .map_or(self.tail, |it| it.first_beyond(cursor));
        Some(Position {
            generation: self.generation,
            next,
            floor: Some(cursor.clone()),
        })
    }

    /// Moves `position` to the next event in scope, or to the end.
    pub(crate) fn poll(
        &self,
        scope: &E::Scope,
        position: &mut Position,
        waiter: &Waiter,
    ) -> Polled<E> {
        if position.generation != self.generation {
            return Polled::Lost;
        }
        let head = self
            .segments
            .front()
            .map_or(self.tail, |segment| segment.base);
        if position.next < head {
            // What was evicted matters only if some of it was in scope.
            if waiter.matched_since(position.next) {
                return Polled::Lost;
            }
            position.next = head;
        }
        while let Some((found, entry)) = self.find(scope, position.next) {
            position.next = found + 1;
            let delivered = |floor: &Cursor| entry.offset < floor.next(entry.partition);
            if !position.floor.as_ref().is_some_and(delivered) {
                let cursor = self.lift(&mut position.floor, &entry.after);
                return Polled::Event(entry.event.clone(), cursor);
            }
        }
        position.next = self.tail;
        Polled::AtEnd(self.lift(&mut position.floor, &self.end))
    }

    fn find(&self, scope: &E::Scope, from: u64) -> Option<(u64, &Entry<E>)> {
        let index = self
            .segments
            .partition_point(|segment| segment.end() <= from);
        self.segments
            .range(index..)
            .find_map(|segment| segment.find(scope, from))
    }

    /// `place`, but never below the floor; the floor goes once the log is past it.
    fn lift(&self, floor: &mut Option<Cursor>, place: &Cursor) -> Cursor {
        let place = self.in_epoch(place);
        match floor {
            Some(low) if !place.covers(low) => place.max(low),
            _ => {
                *floor = None;
                place
            }
        }
    }

    fn in_epoch(&self, place: &Cursor) -> Cursor {
        if place.epoch() == self.epoch {
            place.clone()
        } else {
            Cursor::new(self.epoch, place.offsets())
        }
    }
}
