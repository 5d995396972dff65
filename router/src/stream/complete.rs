//! Completes the frames of one stream, each in the trace of its change.
//!
//! The span of a frame ends when the frame is written, so that its time is what the client waited.

use std::sync::Arc;

use chassis::telemetry::trace;
use chrono::{DateTime, Utc};
use tracing::{Instrument as _, Span};

use super::{
    frame::Frame,
    pending::PendingFrame,
    shared::{Asker, Frames},
};
use crate::error::RequestError;

/// What the frames of one stream are completed with.
#[derive(Debug)]
pub(super) struct Completer {
    pub(super) frames: Arc<Frames>,
    pub(super) asker: Asker,
}

/// A frame that is complete.
#[derive(Debug)]
pub(super) struct Completed {
    pub(super) frame: Frame,
    /// When the change happened that it shows.
    pub(super) changed_at: Option<DateTime<Utc>>,
    pub(super) span: Span,
}

impl Completer {
    /// A frame that another stream has had made, in whose trace it is.
    pub(super) fn made(&self, pending: &PendingFrame) -> Option<Completed> {
        let body = self.frames.made(&self.asker, pending)?;
        Some(Completed {
            changed_at: pending.changed_at(),
            frame: Frame {
                cursor: pending.cursor.clone(),
                body,
            },
            span: Span::none(),
        })
    }

    /// Completes a frame, in the trace of its change and with a link to the subscription's own.
    ///
    /// # Errors
    /// Why the stream must end before this frame.
    pub(super) async fn complete(&self, pending: PendingFrame) -> Result<Completed, RequestError> {
        let subscription = self.asker.ctx.traceparent.as_deref();
        let span = tracing::debug_span!(
            "frame",
            otel.name = "order event frame",
            otel.kind = "consumer",
            cursor = %pending.cursor,
            trace_id = tracing::field::Empty,
        );
        let change = pending.traceparent();
        let followed = trace::follow(span, change.or(subscription));
        if change.is_some() {
            trace::link(&followed, subscription);
        }
        let completing = self.frames.complete(&self.asker, &pending);
        let body = completing.instrument(followed.clone()).await?;
        Ok(Completed {
            changed_at: pending.changed_at(),
            frame: Frame {
                cursor: pending.cursor,
                body,
            },
            span: followed,
        })
    }

    /// Goes on over the graph that is served now.
    ///
    /// # Errors
    /// Why the stream must end: its operation is none of that graph.
    pub(super) async fn renew(&mut self) -> Result<(), RequestError> {
        if let Some(renewed) = self.frames.renewed(&self.asker).await? {
            self.asker = renewed;
        }
        Ok(())
    }
}
