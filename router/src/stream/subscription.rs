//! One open stream of order events: reads the log, completes what it reads, and ends with a cursor to resume from.

use std::{collections::VecDeque, sync::Arc};

use chassis::crash;
use futures::StreamExt;
use order_stream::{Cursor, Stopped};
use schema::{code::ErrorCode, event::OrderEvent};
use tokio::sync::watch;

use super::{
    closing::Closing,
    complete::Completer,
    frame::{End, Frame},
    metrics::OpenStream,
    pending::PendingFrame,
    resume::{ResumePoint, Seen},
    source::{Item, Source},
};
use crate::{admission::StreamPermit, config, error::RequestError};

/// One open stream.
#[derive(Debug)]
pub(crate) struct OrderStream {
    pub(super) config: config::Stream,
    pub(super) source: Source,
    /// The version that the snapshot showed, until an event passes it.
    pub(super) seen: Option<Seen>,
    /// The first frame of a stream that does not resume.
    pub(super) snapshot: Option<PendingFrame>,
    pub(super) completer: Completer,
    /// Frames that are complete and not yet taken.
    pub(super) ready: VecDeque<Frame>,
    /// Why there is no frame behind those.
    pub(super) failed: Option<RequestError>,
    pub(super) cursor: String,
    pub(super) closing: Closing,
    /// Changes when another graph is served.
    pub(super) reloads: watch::Receiver<()>,
    pub(super) _permit: StreamPermit,
    pub(super) _open: OpenStream,
}

impl OrderStream {
    /// Waits for the next frame.
    ///
    /// # Errors
    /// [`End`] with the cursor from which the client can resume.
    pub(super) async fn next(&mut self) -> Result<Frame, End> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                self.cursor.clone_from(&frame.cursor);
                return Ok(frame);
            }
            if let Some(error) = self.failed.take() {
                return Err(End::before_a_frame(error, &self.cursor));
            }
            let closing = self.closing.clone();
            let filled = tokio::select! {
                biased;
                code = closing.due() => Err(code),
                filled = self.fill() => filled,
            };
            if let Err(code) = filled {
                return Err(End::resumable(code, &self.cursor));
            }
        }
    }

    /// Completes the snapshot, or whatever the log has ready, keeping its order. A frame that cannot be completed ends the
    /// stream: one behind it would move the client's cursor past it.
    async fn fill(&mut self) -> Result<(), ErrorCode> {
        let pending = match self.snapshot.take() {
            Some(snapshot) => vec![snapshot],
            None => self.read().await?,
        };
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
        Ok(())
    }

    async fn read(&mut self) -> Result<Vec<PendingFrame>, ErrorCode> {
        let max = self.config.concurrent_frames.max(1);
        // What is under way ends on the old graph; what the wait for the next event loses, it has not taken.
        let batch = tokio::select! {
            biased;
            Ok(()) = self.reloads.changed() => {
                self.renew().await;
                return Ok(Vec::new());
            }
            batch = self.source.take(max) => batch.map_err(|Stopped| ErrorCode::ServerDraining)?,
        };
        let mut pending = Vec::with_capacity(batch.items.len());
        for item in batch.items {
            match item {
                Item::Event(event, cursor) => {
                    crash::at("stream::after_read");
                    pending.extend(self.change(&event, cursor, batch.is_live));
                }
                Item::Gap(cursor) => pending.push(self.gap(cursor)),
            }
        }
        Ok(pending)
    }

    /// Plans the operation over the graph that is served now. Only where it is none of that graph the stream ends.
    async fn renew(&mut self) {
        let renewed = self.completer.renewed().await;
        match renewed {
            Ok(Some(prepared)) => self.completer.asker.prepared = prepared,
            Ok(None) => {}
            Err(error) => self.failed = Some(error),
        }
    }

    /// The frame of a status change; `None` when the snapshot has already shown it.
    fn change(
        &mut self,
        event: &Arc<OrderEvent>,
        cursor: Cursor,
        is_live: bool,
    ) -> Option<PendingFrame> {
        if self.seen.is_some_and(|seen| seen.covers(event)) {
            return None;
        }
        self.seen = self.seen.filter(|seen| !seen.is_passed_by(event));
        let behind = ResumePoint::new(cursor, self.seen);
        Some(PendingFrame::change(event, &behind, is_live))
    }

    fn gap(&mut self, cursor: Cursor) -> PendingFrame {
        // The client starts again from here, perhaps on another stream, whose versions begin at 1.
        self.seen = None;
        PendingFrame::gap(&ResumePoint::new(cursor, None))
    }
}
