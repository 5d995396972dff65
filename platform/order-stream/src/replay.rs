//! Reads events that are older than the log from the topic, for one reader, with a consumer of its own.
//!
//! It takes every partition from the reader's cursor to where the log ended when the replay began; then the
//! reader goes on in the log. Its frontier is a cursor with the same meaning as everywhere: all below it was
//! delivered or was out of scope.

use std::sync::Arc;

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use schema::event::OrderEvent;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    bounds::Bounds,
    consumer::{self, OffReactor, PREAMBLE},
    cursor::Cursor,
    log::Record,
    scope::Scope,
    versions::Versions,
};

/// What a replay has to say.
#[derive(Debug)]
pub(crate) enum Replayed {
    /// The next event in scope, and the cursor after it.
    Event(Arc<OrderEvent>, Cursor),
    /// Go on at the frontier: it reached its aim, or its consumer failed.
    Done(Cursor),
    /// The topic no longer has what comes next.
    Gone,
}

/// A reader's way from its cursor to the log.
#[derive(Debug)]
pub(crate) struct Replay {
    consumer: OffReactor,
    frontier: Cursor,
    /// Where it began: messages below only teach `versions`.
    begin: Cursor,
    /// Where the log takes over.
    aim: Cursor,
    versions: Versions,
    /// Bounds the replays of a process; given back when this one ends.
    _turn: OwnedSemaphorePermit,
}

impl Replay {
    /// Starts reading from `begin` towards `aim`.
    pub(crate) fn start(
        config: &chassis::kafka::Config,
        begin: &Cursor,
        aim: Cursor,
        bounds: &Bounds,
        turn: OwnedSemaphorePermit,
    ) -> KafkaResult<Self> {
        let consumer = consumer::replay(config)?;
        let low = |partition: usize| bounds.low.get(partition).copied().unwrap_or(0);
        let unread = (0..aim.offsets().len()).filter(|p| begin.next(*p) < aim.next(*p));
        let from = unread.map(|p| (p, (begin.next(p) - PREAMBLE).max(low(p))));
        consumer::assign(&consumer, &config.topic, from)?;
        // The frontier speaks for the stream as it is now, whatever the first cursor knew of it.
        let frontier = Cursor::new(aim.epoch(), begin.offsets());
        let versions = Versions::default();
        Ok(Self {
            consumer,
            begin: frontier.clone(),
            frontier,
            aim,
            versions,
            _turn: turn,
        })
    }

    /// The next event in scope below the aim.
    ///
    /// # Cancel safety
    /// A message is either still in the consumer or wholly taken in, so the future may be dropped.
    pub(crate) async fn next(&mut self, scope: Scope) -> Replayed {
        while !self.frontier.covers(&self.aim) {
            let received = self
                .consumer
                .recv()
                .await
                .map(|message| consumer::record(&message));
            match received {
                Ok(record) => {
                    if let Some(event) = self.take(record, scope) {
                        return Replayed::Event(Arc::new(event), self.frontier.clone());
                    }
                }
                // All that the partition has was read: what is missing below the aim never was an event.
                Err(KafkaError::PartitionEOF(partition)) => {
                    let partition = usize::try_from(partition).unwrap_or_default();
                    self.advance(partition, self.aim.next(partition));
                }
                Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
                )) => return Replayed::Gone,
                Err(KafkaError::MessageConsumptionFatal(_)) => break,
                // librdkafka goes on by itself when the broker is back.
                Err(error) => tracing::debug!(%error, "replay waits for the broker"),
            }
        }
        Replayed::Done(self.frontier.clone())
    }

    fn take(&mut self, record: Record, scope: Scope) -> Option<OrderEvent> {
        let (partition, offset) = (record.partition, record.offset);
        if offset >= self.aim.next(partition) {
            self.advance(partition, self.aim.next(partition));
            return None;
        }
        let epoch = record.epoch.unwrap_or(self.aim.epoch());
        let event = record.event;
        let first = event
            .as_ref()
            .is_some_and(|event| self.versions.is_first(epoch, event.order_id, event.version));
        if offset < self.begin.next(partition) {
            return None;
        }
        self.advance(partition, offset + 1);
        event.filter(|event| first && scope.contains(event))
    }

    fn advance(&mut self, partition: usize, next: i64) {
        let mut offsets = self.frontier.offsets().to_vec();
        if offsets.len() <= partition {
            offsets.resize(partition + 1, 0);
        }
        offsets[partition] = offsets[partition].max(next);
        self.frontier = Cursor::new(self.frontier.epoch(), &offsets);
    }
}
