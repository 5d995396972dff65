//! One open stream of a log's events: reads the log, completes what it reads, and ends with a cursor to resume from.

use std::{collections::VecDeque, pin::Pin, sync::Arc};

use chassis::crash;
use futures::StreamExt;
use order_stream::{Cursor, Event as _, Stopped, number_of};
use schema::{code::ErrorCode, id::OrderId};
use tokio::sync::watch;

use super::{
    closing::Closing,
    complete::{Completed, Completer},
    credentials::Credentials,
    frame::{End, Frame},
    heartbeat::Heartbeats,
    lag::Lag,
    metrics::OpenStream,
    pending::PendingFrame,
    resume::{ResumePoint, Seen},
    source::{Change, Item, Source},
    topic::{Shown, Subject},
};
use crate::{admission::StreamPermit, config, error::RequestError};

/// Why a stream waits no longer for its next events.
enum Woken {
    ByItems(Result<Vec<Item>, Stopped>),
    ByAnotherGraph,
    ByAnotherToken,
    ToSayThatItLives,
}

/// One open stream.
#[derive(Debug)]
pub(crate) struct LogStream {
    pub(super) config: Arc<config::Stream>,
    pub(super) source: Source,
    /// The version that the snapshot showed, until an event passes it.
    pub(super) seen: Option<Seen>,
    /// The first frame of a stream that does not resume.
    pub(super) snapshot: Option<Box<PendingFrame>>,
    pub(super) completer: Completer,
    /// Frames that are complete and not yet taken.
    pub(super) ready: VecDeque<Completed>,
    /// Why there is no frame behind those.
    pub(super) failed: Option<RequestError>,
    pub(super) cursor: String,
    pub(super) lag: Lag,
    pub(super) closing: Closing,
    pub(super) credentials: Credentials,
    /// The order, where the stream is of one alone.
    pub(super) order: Option<OrderId>,
    /// The entity, where the stream is of a topic beside the order events.
    pub(super) subject: Option<Subject>,
    /// Whether nothing was read that its client does not have: the place of the source is the client's.
    pub(super) is_waiting: bool,
    /// Nothing can follow what was read: the order has its last status.
    pub(super) is_over: bool,
    /// Changes when another graph is served.
    pub(super) reloads: watch::Receiver<()>,
    pub(super) _permit: StreamPermit,
    pub(super) _open: OpenStream,
}

impl LogStream {
    /// Waits for the next frame, with a heartbeat whenever that takes long.
    ///
    /// # Errors
    /// [`End`] with the cursor from which the client can resume.
    pub(super) async fn next<S, D>(
        &mut self,
        heartbeats: &mut Heartbeats<S>,
        mut due: Pin<&mut D>,
    ) -> Result<Frame, End>
    where
        S: FnMut(Option<&str>),
        D: Future<Output = ErrorCode>,
    {
        self.lag.is_written();
        loop {
            if let Some(completed) = self.ready.pop_front() {
                return Ok(self.hand_over(completed));
            }
            if let Some(error) = self.failed.take() {
                return Err(End::before_a_frame(error, &self.cursor));
            }
            if self.is_over && self.snapshot.is_none() {
                return Err(End::Complete);
            }
            let filled = tokio::select! {
                biased;
                code = &mut due => Err(code),
                filled = self.fill(heartbeats) => filled,
            };
            if let Err(code) = filled {
                self.move_on();
                return Err(End::interrupted(code, &self.cursor));
            }
        }
    }

    fn hand_over(&mut self, completed: Completed) -> Frame {
        let Completed {
            frame,
            changed_at,
            span,
        } = completed;
        if let Some(changed_at) = changed_at {
            self.lag.hand_over(changed_at, span);
        }
        self.cursor.clone_from(&frame.cursor);
        frame
    }

    /// Completes the snapshot, or whatever the log has ready, keeping its order. A frame that cannot be completed ends the
    /// stream: one behind it would move the client's cursor past it.
    async fn fill<S>(&mut self, heartbeats: &mut Heartbeats<S>) -> Result<(), ErrorCode>
    where
        S: FnMut(Option<&str>),
    {
        let mut pending = VecDeque::from(if self.snapshot.is_some() {
            self.snapshot
                .take()
                .map(|frame| *frame)
                .into_iter()
                .collect()
        } else {
            self.read(heartbeats).await?
        });
        if let Some(moment) = pending.front().and_then(PendingFrame::changed_at) {
            self.lag.works_on(moment);
        }
        while let Some(made) = pending.front().and_then(|it| self.completer.made(it)) {
            self.ready.push_back(made);
            pending.pop_front();
        }
        if !pending.is_empty() {
            // What completing takes is not held while the stream waits, which is nearly always.
            Box::pin(heartbeats.during(self.complete(pending))).await;
        }
        Ok(())
    }

    async fn complete(&mut self, pending: VecDeque<PendingFrame>) {
        let completer = &self.completer;
        let mut frames = futures::stream::iter(pending)
            .map(|pending| completer.complete(pending))
            .buffered(self.config.concurrent_frames.max(1));
        while let Some(completed) = frames.next().await {
            match completed {
                Ok(frame) => self.ready.push_back(frame),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
        }
    }

    async fn read<S>(
        &mut self,
        heartbeats: &mut Heartbeats<S>,
    ) -> Result<Vec<PendingFrame>, ErrorCode>
    where
        S: FnMut(Option<&str>),
    {
        let max = self.config.concurrent_frames.max(1);
        self.is_waiting = true;
        // What is under way ends on the old graph; what the wait for the next event loses, it has not taken.
        let woken = tokio::select! {
            biased;
            Ok(()) = self.reloads.changed() => Woken::ByAnotherGraph,
            () = self.credentials.renewed() => Woken::ByAnotherToken,
            items = self.source.take(max) => Woken::ByItems(items),
            () = heartbeats.due() => Woken::ToSayThatItLives,
        };
        let items = match woken {
            Woken::ByItems(Ok(items)) => items,
            Woken::ByItems(Err(Stopped)) => return Err(ErrorCode::ServerDraining),
            Woken::ToSayThatItLives => {
                let has_moved = self.move_on();
                heartbeats.say(has_moved.then_some(self.cursor.as_str()));
                return Ok(Vec::new());
            }
            Woken::ByAnotherGraph => {
                // Planning takes room that waiting must not have.
                Box::pin(self.renew()).await;
                return Ok(Vec::new());
            }
            Woken::ByAnotherToken => {
                self.credentials.renew(&mut self.completer.asker.ctx);
                return Ok(Vec::new());
            }
        };
        self.is_waiting = false;
        let mut pending = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Item::Event(change, cursor) => {
                    crash::at("stream::after_read");
                    pending.extend(self.change(change, cursor));
                }
                Item::Gap(cursor) => pending.push(self.gap(cursor)),
            }
        }
        Ok(pending)
    }

    /// Moves the client's cursor past what is out of the stream's scope; whether there was any.
    fn move_on(&mut self) -> bool {
        if !self.is_waiting {
            return false;
        }
        let place = ResumePoint::new(self.source.place(), self.seen).to_string();
        let has_moved = place != self.cursor;
        self.cursor = place;
        has_moved
    }

    /// Plans the operation over the graph that is served now. Only where it is none of that graph the stream ends.
    async fn renew(&mut self) {
        if let Err(error) = self.completer.renew().await {
            self.failed = Some(error);
        }
    }

    /// The frame of a change; `None` when the snapshot has already shown it.
    fn change(&mut self, change: Change, cursor: Cursor) -> Option<PendingFrame> {
        let (entity, version) = match &change {
            Change::Order(event) => (event.order_id.get(), event.version),
            // Of what cannot be read nobody can know what it changed.
            Change::Topic(event) if event.fault().is_some() => return Some(self.gap_at(cursor)),
            Change::Topic(event) => (number_of(&event.key), event.version),
        };
        if self.seen.is_some_and(|seen| seen.covers(entity, version)) {
            return None;
        }
        self.seen = self.seen.filter(|it| !it.is_passed_by(entity, version));
        let is_last = matches!(&change, Change::Order(event) if event.status.is_final());
        if self.order.is_some() && is_last {
            self.is_over = true;
            // Whoever resumes behind the last one is told so.
            self.seen = Some(Seen::of(entity, version));
        }
        let behind = ResumePoint::new(cursor, self.seen);
        match change {
            Change::Order(event) => Some(PendingFrame::change(event, &behind)),
            Change::Topic(event) => {
                let of = Arc::clone(&self.subject.as_ref()?.of);
                let shown = Shown::change(of, &event);
                Some(PendingFrame::topic_change(shown, &behind))
            }
        }
    }

    fn gap(&mut self, cursor: Cursor) -> PendingFrame {
        // The client starts again from here, perhaps on another stream, whose versions begin at 1.
        self.seen = None;
        self.gap_at(cursor)
    }

    /// A gap after which the same stream goes on.
    fn gap_at(&self, cursor: Cursor) -> PendingFrame {
        let behind = ResumePoint::new(cursor, self.seen);
        match &self.subject {
            None => PendingFrame::gap(&behind),
            Some(subject) => PendingFrame::topic_gap(Shown::gap(subject.clone()), &behind),
        }
    }
}
