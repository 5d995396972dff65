//! Completes the frames of one stream, each in the trace of its change.

use std::sync::Arc;

use chassis::{clock::Clock, telemetry::trace};
use federation::Prepared;
use tracing::Instrument as _;

use super::{
    frame::Frame,
    metrics,
    pending::PendingFrame,
    shared::{Asker, Frames},
};
use crate::error::RequestError;

/// What the frames of one stream are completed with.
#[derive(Debug)]
pub(super) struct Completer {
    pub(super) frames: Arc<Frames>,
    pub(super) asker: Asker,
    pub(super) clock: Clock,
}

impl Completer {
    /// Completes a frame, in the trace of its change and with a link to the subscription's own.
    ///
    /// # Errors
    /// Why the stream must end before this frame.
    pub(super) async fn complete(&self, pending: PendingFrame) -> Result<Frame, RequestError> {
        let subscription = self.asker.ctx.traceparent.as_deref();
        let span = tracing::debug_span!(
            "frame",
            otel.name = "order event frame",
            otel.kind = "consumer",
            cursor = %pending.cursor,
            trace_id = tracing::field::Empty,
        );
        let change = pending.traceparent.as_deref();
        let followed = trace::follow(span, change.or(subscription));
        if change.is_some() {
            trace::link(&followed, subscription);
        }
        self.execute(pending).instrument(followed).await
    }

    /// The stream's operation over the graph that is served now, if that is another.
    ///
    /// # Errors
    /// Why the stream must end: its operation is none of that graph.
    pub(super) async fn renewed(&self) -> Result<Option<Prepared>, RequestError> {
        self.frames.renewed(&self.asker.prepared).await
    }

    async fn execute(&self, pending: PendingFrame) -> Result<Frame, RequestError> {
        let PendingFrame {
            object,
            cursor,
            changed_at,
            ..
        } = pending;
        let body = self.frames.complete(&self.asker, object, &cursor).await?;
        if let Some(changed_at) = changed_at {
            let age = (self.clock.now() - changed_at).to_std();
            metrics::EVENT_TO_FRAME.observe(&[], age.unwrap_or_default().as_secs_f64());
        }
        Ok(Frame { cursor, body })
    }
}
