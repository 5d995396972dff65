//! Reads events that are older than the log from the topic, for one reader of many orders, in turns. Readers of an order or a
//! buyer share a [`crate::scan`] instead.
//!
//! A turn has a consumer of its own and a task that feeds a small buffer. It takes every partition from the reader's cursor
//! to where the log ended when the turn was asked for; then the reader goes on in the log. It ends sooner when its time is
//! over, or when its reader takes nothing: what is in the buffer is delivered, and then the reader asks for another turn.
//! Invariant: a place among the turns is held only while the topic is read, however slow the client of the reader is.
//!
//! The frontier is a cursor with the same meaning as everywhere: all below it was delivered or was out of scope.

use std::{sync::Arc, time::Duration};

use chassis::places::Place;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    bounds::Bounds,
    consumer::{self, OffReactor, PREAMBLE},
    cursor::Cursor,
    event::{Event, Selection},
    log::Record,
    versions::Versions,
};

/// Events that wait for their reader: it keeps them when its turn is over.
pub(crate) const BUFFER: usize = 64;
/// How long one turn lasts while others may wait.
const TURN: Duration = Duration::from_secs(2);
/// How long a full buffer may stay full before its turn ends.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a replay has to say.
#[derive(Debug)]
pub(crate) enum Replayed<E> {
    /// The next event in scope, and the cursor after it.
    Event(Arc<E>, Cursor),
    /// The turn is over.
    Ended(Ended),
}

/// How a turn ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Go on at the frontier: it reached its aim, its time was over, or its consumer failed.
    At(Cursor),
    /// The topic no longer has what comes next.
    Gone,
}

/// A turn that runs, or waits to run, in a task of its own. Dropped, it ends.
#[derive(Debug)]
pub(crate) struct Replay<E> {
    events: mpsc::Receiver<(Arc<E>, Cursor)>,
    ended: oneshot::Receiver<Ended>,
}

/// The task's side of a turn.
#[derive(Debug)]
pub(crate) struct Feed<E> {
    events: mpsc::Sender<(Arc<E>, Cursor)>,
    ended: oneshot::Sender<Ended>,
}

impl<E> Replay<E> {
    /// A turn, and what its task feeds: so many events may wait for the reader.
    pub(crate) fn new(buffer: usize) -> (Self, Feed<E>) {
        let (events, receiver) = mpsc::channel(buffer);
        let (ended, end) = oneshot::channel();
        let replay = Self {
            events: receiver,
            ended: end,
        };
        (replay, Feed { events, ended })
    }

    /// The next event in scope, or how the turn ended; `None` when its task was stopped.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Option<Replayed<E>> {
        if let Some((event, cursor)) = self.events.recv().await {
            return Some(Replayed::Event(event, cursor));
        }
        (&mut self.ended).await.ok().map(Replayed::Ended)
    }
}

impl<E> Feed<E> {
    /// Resolves when the reader has gone.
    pub(crate) async fn abandoned(&self) {
        self.events.closed().await;
    }

    /// Whether the reader has gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.events.is_closed()
    }

    /// Puts an event into the buffer; false when it does not fit, or the reader has gone.
    pub(crate) fn offer(&self, event: Arc<E>, after: Cursor) -> bool {
        self.events.try_send((event, after)).is_ok()
    }

    /// Tells how the turn ended, behind what is in the buffer.
    pub(crate) fn end(self, ended: Ended) {
        // The reader may have gone.
        drop(self.ended.send(ended));
    }
}

/// One turn at reading the topic.
#[derive(Debug)]
pub(crate) struct Turn<E: Event> {
    consumer: OffReactor,
    scope: E::Scope,
    reading: E::Reading,
    frontier: Cursor,
    /// Where it began: messages below only teach `versions`.
    begin: Cursor,
    /// Where the log takes over.
    aim: Cursor,
    versions: Versions<E::Entity>,
    /// Bounds the turns of a process; given back when this one ends.
    _place: Place,
}

impl<E: Event> Turn<E> {
    /// Starts reading from `begin` towards `aim`.
    pub(crate) fn start(
        config: &chassis::kafka::Config,
        scope: E::Scope,
        begin: &Cursor,
        aim: Cursor,
        bounds: &Bounds,
        reading: E::Reading,
        place: Place,
    ) -> KafkaResult<Self> {
        let consumer = consumer::replay(config)?;
        let low = |partition: usize| bounds.low.get(partition).copied().unwrap_or(0);
        let unread = (0..aim.offsets().len()).filter(|p| begin.next(*p) < aim.next(*p));
        let from = unread.map(|p| (p, (begin.next(p) - PREAMBLE).max(low(p))));
        consumer::assign(&consumer, &config.topic, from)?;
        // The frontier speaks for the stream as it is now, whatever the first cursor knew of it.
        let frontier = Cursor::new(aim.epoch(), begin.offsets());
        Ok(Self {
            consumer,
            scope,
            reading,
            begin: frontier.clone(),
            frontier,
            aim,
            versions: Versions::default(),
            _place: place,
        })
    }

    /// Reads into the buffer until the aim, the end of the turn's time, or a reader that takes nothing.
    pub(crate) async fn read(mut self, feed: &Feed<E>) -> Ended {
        let until = Instant::now() + TURN;
        // Between two awaits a message is either still in the consumer or wholly taken in.
        match timeout_at(until, self.read_on(feed)).await {
            Ok(Err(Gone)) => Ended::Gone,
            Ok(Ok(())) | Err(_) => Ended::At(self.frontier),
        }
    }

    async fn read_on(&mut self, feed: &Feed<E>) -> Result<(), Gone> {
        while !self.frontier.covers(&self.aim) {
            let Ok(Ok(room)) = timeout(PATIENCE, feed.events.reserve()).await else {
                return Ok(());
            };
            match self.next().await? {
                Some(event) => room.send((Arc::new(event), self.frontier.clone())),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// The next event in scope below the aim; `None` when there is no more to be read.
    ///
    /// # Cancel safety
    /// A message is either still in the consumer or wholly taken in, so the future may be dropped.
    async fn next(&mut self) -> Result<Option<E>, Gone> {
        while !self.frontier.covers(&self.aim) {
            let received = self
                .consumer
                .recv()
                .await
                .map(|message| consumer::record(&message, &self.reading));
            match received {
                Ok(record) => {
                    if let Some(event) = self.take(record) {
                        return Ok(Some(event));
                    }
                }
                // All that the partition has was read: what is missing below the aim never was an event.
                Err(KafkaError::PartitionEOF(partition)) => {
                    let partition = usize::try_from(partition).unwrap_or_default();
                    self.advance(partition, self.aim.next(partition));
                }
                Err(KafkaError::MessageConsumption(
                    RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
                )) => return Err(Gone),
                Err(KafkaError::MessageConsumptionFatal(_)) => break,
                // librdkafka goes on by itself when the broker is back.
                Err(error) => tracing::debug!(%error, "replay waits for the broker"),
            }
        }
        Ok(None)
    }

    fn take(&mut self, record: Record<E>) -> Option<E> {
        let (partition, offset) = (record.partition, record.offset);
        if offset >= self.aim.next(partition) {
            self.advance(partition, self.aim.next(partition));
            return None;
        }
        let epoch = record.epoch.unwrap_or(self.aim.epoch());
        let event = record.event;
        let first = event
            .as_ref()
            .is_some_and(|event| self.versions.admits(epoch, event));
        if offset < self.begin.next(partition) {
            return None;
        }
        self.advance(partition, offset + 1);
        event.filter(|event| first && self.scope.contains(event))
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

/// The topic no longer has what comes next.
struct Gone;
