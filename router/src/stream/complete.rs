//! Completes frames: the engine adds what the operation asks of the graph.

use std::{sync::Arc, time::Duration};

use chassis::{clock::Clock, telemetry::trace};
use federation::{Engine, GraphResponse, Prepared, RequestContext};
use schema::code::ErrorCode;
use serde_json::Map;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    frame::{self, Frame},
    metrics,
    pending::PendingFrame,
};
use crate::error::RequestError;

/// What the frames of one stream are completed with.
#[derive(Debug)]
pub(super) struct Completer {
    pub(super) engine: Arc<Engine>,
    pub(super) prepared: Prepared,
    pub(super) ctx: RequestContext,
    pub(super) clock: Clock,
    pub(super) timeout: Duration,
}

impl Completer {
    /// Completes a frame, in the trace of its change and with a link to the subscription's own.
    pub(super) async fn complete(&self, pending: PendingFrame) -> Frame {
        let subscription = self.ctx.traceparent.as_deref();
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

    async fn execute(&self, pending: PendingFrame) -> Frame {
        let deadline = Instant::now() + self.timeout;
        let ctx = RequestContext {
            deadline,
            ..self.ctx.clone()
        };
        let executed = self
            .engine
            .execute_event(&self.prepared, pending.object, Map::new(), &ctx);
        // The engine keeps the deadline itself; the second after it is for its own response.
        let response = tokio::time::timeout_at(deadline + Duration::from_secs(1), executed)
            .await
            .unwrap_or_else(|_| late());
        if let Some(changed_at) = pending.changed_at {
            let age = (self.clock.now() - changed_at).to_std();
            metrics::EVENT_TO_FRAME.observe(&[], age.unwrap_or_default().as_secs_f64());
        }
        frame::seal(&response, pending.cursor)
    }
}

fn late() -> GraphResponse {
    let body = RequestError::masked(ErrorCode::DeadlineExceeded).to_body();
    GraphResponse {
        body,
        had_data: false,
        errors: 1,
    }
}
