//! Reads events that are older than the log from the topic, once for all readers of an order or a buyer who wait: what one of
//! them costs is a look at each message that all are spared.
//!
//! A scan begins at the lowest place of those who wait, and whoever comes while it has not passed its place joins it. Nobody is
//! waited for: a reader that takes nothing gets what is in its buffer, and asks again from there. So no client, and no number of
//! one caller's, holds up the others. Readers of everything read by turns of their own ([`crate::replay`]): they would fill any
//! buffer.
//!
//! Invariant: what a reader was sent, and the place at which it is let go, is what a turn of its own would have given: every
//! event in scope from its begin on, once, in the order of its partition.

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use chassis::kafka;
use parking_lot::Mutex;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    bounds::Bounds,
    consumer::{self, OffReactor, PREAMBLE},
    cursor::Cursor,
    event::{ByScope, Event},
    log::Record,
    metrics::Metrics,
    replay::{Ended, Feed},
    versions::Versions,
};

/// Scans that run at once.
const SCANS: usize = 4;
/// How long a scan waits for company before it begins; longer, where others run that were only just missed.
const GATHERING: Duration = Duration::from_millis(30);
/// Messages between two looks at who has come, gone, or has all it wanted.
const LOOK_EVERY: usize = 256;
/// The longest time between two such looks.
const LOOK_AFTER: Duration = Duration::from_millis(100);

/// A reader that waits for a scan.
#[derive(Debug)]
pub(crate) struct Wanted<E: Event> {
    pub(crate) scope: E::Scope,
    /// Where it begins.
    pub(crate) begin: Cursor,
    /// Where the log takes over.
    pub(crate) aim: Cursor,
    pub(crate) feed: Feed<E>,
}

/// Who waits for a scan.
#[derive(Debug)]
pub(crate) struct Scans<E: Event>(Mutex<State<E>>);

#[derive(Debug)]
struct State<E: Event> {
    waiting: Vec<Wanted<E>>,
    /// Whether a scan is about to begin.
    is_gathering: bool,
    running: usize,
}

impl<E: Event> Default for Scans<E> {
    fn default() -> Self {
        Self(Mutex::new(State {
            waiting: Vec::new(),
            is_gathering: false,
            running: 0,
        }))
    }
}

impl<E: Event> Scans<E> {
    /// Waits with the others; whether the caller must see to it that a scan begins.
    pub(crate) fn ask(&self, wanted: Wanted<E>) -> bool {
        let mut state = self.0.lock();
        state.waiting.push(wanted);
        state.may_gather()
    }

    /// Waits for company, and takes all who wait.
    pub(crate) async fn gather(&self) -> Vec<Wanted<E>> {
        let before = u32::try_from(self.0.lock().running).unwrap_or(u32::MAX);
        tokio::time::sleep(GATHERING * before.saturating_add(1)).await;
        let mut state = self.0.lock();
        state.is_gathering = false;
        state.running += 1;
        mem::take(&mut state.waiting)
    }

    /// A scan has ended; whether the caller must begin another.
    pub(crate) fn end(&self) -> bool {
        let mut state = self.0.lock();
        state.running = state.running.saturating_sub(1);
        !state.waiting.is_empty() && state.may_gather()
    }

    /// Those who wait and may join a scan.
    fn joining(&self, may_join: impl Fn(&Wanted<E>) -> bool) -> Vec<Wanted<E>> {
        let waiting = &mut self.0.lock().waiting;
        waiting.extract_if(.., |wanted| may_join(wanted)).collect()
    }
}

impl<E: Event> Wanted<E> {
    /// Whether all that it wants is below these ends of the partitions.
    pub(crate) fn is_within(&self, ends: &[i64]) -> bool {
        let end = |partition: usize| ends.get(partition).copied().unwrap_or_default();
        (0..self.aim.offsets().len()).all(|partition| self.aim.next(partition) <= end(partition))
    }
}

impl<E: Event> State<E> {
    fn may_gather(&mut self) -> bool {
        let may = self.running < SCANS && !self.is_gathering;
        self.is_gathering |= may;
        may
    }
}

/// One scan of the topic.
pub(crate) struct Scan<E: Event> {
    consumer: OffReactor,
    reading: E::Reading,
    passing: Passing<E>,
}

impl<E: Event> Scan<E> {
    /// Starts at the lowest place of those who want it.
    pub(crate) fn start(
        config: &kafka::Config,
        wanted: &[Wanted<E>],
        bounds: &Bounds,
        metrics: Metrics,
        reading: E::Reading,
    ) -> KafkaResult<Self> {
        let consumer = consumer::scan(config)?;
        let passing = Passing::from_the_lowest(wanted, bounds, metrics);
        let from = passing.next.iter().zip(&bounds.low).enumerate();
        let from = from.map(|(p, (next, low))| (p, (next - PREAMBLE).max(*low)));
        consumer::assign(&consumer, &config.topic, from)?;
        passing.metrics.scans.inc();
        Ok(Self {
            consumer,
            reading,
            passing,
        })
    }

    /// Reads until everybody has what it wanted, or has gone.
    pub(crate) async fn read(mut self, wanted: Vec<Wanted<E>>, scans: &Scans<E>) {
        for wanted in wanted {
            self.passing.join(wanted);
        }
        let mut looks = interval(LOOK_AFTER);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut messages = 0;
        while !self.passing.readers.is_empty() {
            let is_end = tokio::select! {
                biased;
                received = self.consumer.recv() => {
                    match received.map(|message| consumer::record(&message, &self.reading)) {
                        Ok(record) => self.passing.take(record),
                        Err(error) if !self.passing.go_on_after(&error) => break,
                        Err(_) => messages = LOOK_EVERY,
                    }
                    messages += 1;
                    messages >= LOOK_EVERY
                }
                _ = looks.tick() => true,
            };
            if is_end {
                messages = 0;
                self.passing.let_go();
                for wanted in scans.joining(|wanted| self.passing.is_before(wanted)) {
                    self.passing.join(wanted);
                }
                // There is always another message: others have their turn.
                tokio::task::yield_now().await;
            }
        }
        self.passing.end();
    }
}

/// Where a scan is, and whom it serves. Knows no broker.
struct Passing<E: Event> {
    /// The next offset of each partition.
    next: Vec<i64>,
    /// Where the partitions ended before the scan began: nobody wants more of it.
    end: Vec<i64>,
    versions: Versions<E::Entity>,
    readers: HashMap<u64, Served<E>>,
    by_scope: ByScope<E::Scope, Vec<u64>>,
    joined: u64,
    metrics: Metrics,
}

/// A reader that a scan serves.
struct Served<E: Event> {
    scope: E::Scope,
    begin: Cursor,
    aim: Cursor,
    feed: Feed<E>,
}

impl<E: Event> Passing<E> {
    fn from_the_lowest(wanted: &[Wanted<E>], bounds: &Bounds, metrics: Metrics) -> Self {
        let lowest = |partition| wanted.iter().map(|it| it.begin.next(partition)).min();
        let lows = bounds.low.iter().enumerate();
        Self {
            next: lows
                .map(|(partition, low)| lowest(partition).unwrap_or_default().max(*low))
                .collect(),
            end: bounds.high.clone(),
            versions: Versions::default(),
            readers: HashMap::new(),
            by_scope: ByScope::default(),
            joined: 0,
            metrics,
        }
    }

    /// Whether all that a reader wants is still to come.
    fn is_before(&self, wanted: &Wanted<E>) -> bool {
        let mut places = self.next.iter().enumerate();
        wanted.is_within(&self.end)
            && places.all(|(partition, next)| wanted.begin.next(partition) >= *next)
    }

    fn join(&mut self, wanted: Wanted<E>) {
        let Wanted {
            scope,
            begin,
            aim,
            feed,
        } = wanted;
        self.metrics.replays.inc();
        let id = self.joined;
        self.joined += 1;
        self.by_scope.entry(&scope).push(id);
        let served = Served {
            scope,
            // The place speaks for the stream as it is now, whatever the first cursor knew of it.
            begin: Cursor::new(aim.epoch(), begin.offsets()),
            aim,
            feed,
        };
        self.readers.insert(id, served);
    }

    /// Hands a message to those who want it.
    fn take(&mut self, record: Record<E>) {
        let Record {
            partition,
            offset,
            epoch,
            event,
        } = record;
        let event = event.filter(|event| {
            let epoch = epoch.unwrap_or_else(|| self.epoch());
            self.versions.admits(epoch, event)
        });
        let Some(next) = self.next.get(partition).copied() else {
            return;
        };
        // What stands before it only teaches which versions were sent already.
        if offset < next {
            return;
        }
        if let Some(event) = event {
            // They are let go before the event.
            for id in self.offer(event, partition, offset) {
                self.remove(id);
            }
        }
        self.next[partition] = offset + 1;
    }

    /// Sends an event to those who want it, and gives those who do not take it.
    fn offer(&self, event: E, partition: usize, offset: i64) -> Vec<u64> {
        let mut wanting = Vec::new();
        self.by_scope
            .visit(&event, |ids| wanting.extend_from_slice(ids));
        let mut full = Vec::new();
        if wanting.is_empty() {
            return full;
        }
        let event = Arc::new(event);
        for id in wanting {
            let served = self.readers.get(&id);
            let Some(served) = served.filter(|it| it.wants(partition, offset)) else {
                continue;
            };
            let after = served.place(&self.next, Some((partition, offset + 1)));
            if !served.feed.offer(Arc::clone(&event), after) {
                full.push(id);
            }
        }
        full
    }

    /// Whether the scan goes on after an error of its consumer.
    fn go_on_after(&mut self, error: &KafkaError) -> bool {
        match error {
            // All that the partition had when the scan began was read: what is missing never was an event.
            KafkaError::PartitionEOF(partition) => {
                let partition = usize::try_from(*partition).unwrap_or_default();
                if let Some(next) = self.next.get_mut(partition) {
                    *next = (*next).max(self.end[partition]);
                }
                true
            }
            // Who is behind asks again, and is told what is gone.
            KafkaError::MessageConsumption(
                RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
            )
            | KafkaError::MessageConsumptionFatal(_) => false,
            // librdkafka goes on by itself when the broker is back.
            error => {
                tracing::debug!(%error, "a scan waits for the broker");
                true
            }
        }
    }

    /// Lets those go who have gone themselves, or have all they wanted.
    fn let_go(&mut self) {
        let is_done = |served: &Served<E>| {
            served.feed.is_abandoned() || served.place(&self.next, None).covers(&served.aim)
        };
        let done = self.readers.iter().filter(|(_, served)| is_done(served));
        let done: Vec<u64> = done.map(|(id, _)| *id).collect();
        for id in done {
            self.remove(id);
        }
    }

    fn end(&mut self) {
        let left: Vec<u64> = self.readers.keys().copied().collect();
        for id in left {
            self.remove(id);
        }
    }

    /// Lets a reader go on where it is.
    fn remove(&mut self, id: u64) {
        let Some(served) = self.readers.remove(&id) else {
            return;
        };
        if let Some(same) = self.by_scope.get_mut(&served.scope) {
            same.retain(|it| *it != id);
            if same.is_empty() {
                self.by_scope.remove(&served.scope);
            }
        }
        let place = served.place(&self.next, None);
        served.feed.end(Ended::At(place));
    }

    /// The stream's epoch, for records that name none.
    fn epoch(&self) -> uuid::Uuid {
        let any = self.readers.values().next();
        any.map_or(uuid::Uuid::nil(), |served| served.aim.epoch())
    }
}

impl<E: Event> Served<E> {
    /// Whether a message is in the part of the stream that it wants.
    fn wants(&self, partition: usize, offset: i64) -> bool {
        (self.begin.next(partition)..self.aim.next(partition)).contains(&offset)
    }

    /// All below it was sent to the reader, or is out of its scope: where the scan is, but never before the reader's begin nor
    /// behind its aim. `after` goes before where the scan is, in its partition.
    fn place(&self, next: &[i64], after: Option<(usize, i64)>) -> Cursor {
        let partitions = self.begin.offsets().len().max(next.len());
        let offset = |partition: usize| {
            let begin = self.begin.next(partition);
            let here = next.get(partition).copied().unwrap_or_default();
            let here = match after {
                Some((of, after)) if of == partition => after,
                _ => here,
            };
            begin.max(here.min(self.aim.next(partition)))
        };
        let offsets: Vec<i64> = (0..partitions).map(offset).collect();
        Cursor::new(self.begin.epoch(), &offsets)
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
