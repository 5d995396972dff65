//! Completes frames: the engine adds what the operation asks of the graph.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chassis::{clock::Clock, telemetry::trace};
use federation::{Engine, Prepared, RequestContext};
use schema::code::ErrorCode;
use serde_json::{Map, json};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

use super::{frame::Frame, metrics, pending::PendingFrame};
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
        let mut extensions = Map::new();
        extensions.insert("cursor".to_owned(), pending.cursor.as_str().into());
        let executed = self
            .engine
            .execute_event(&self.prepared, pending.object, extensions, &ctx);
        // The engine keeps the deadline itself; the second after it is for its own response.
        let body = match timeout_at(deadline + Duration::from_secs(1), executed).await {
            Ok(response) => response.body,
            Err(_) => late(&pending.cursor),
        };
        if let Some(changed_at) = pending.changed_at {
            let age = (self.clock.now() - changed_at).to_std();
            metrics::EVENT_TO_FRAME.observe(&[], age.unwrap_or_default().as_secs_f64());
        }
        Frame {
            cursor: pending.cursor,
            body,
        }
    }
}

/// A frame that could not be completed in time, as the engine would write it.
fn late(cursor: &str) -> Bytes {
    let refused = RequestError::masked(ErrorCode::DeadlineExceeded);
    let extensions = json!({ "cursor": cursor });
    let body = json!({"data": null, "errors": refused.to_json(), "extensions": extensions});
    Bytes::from(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_frame_still_has_its_cursor() {
        assert_eq!(
            late("c1"),
            r#"{"data":null,"errors":[{"message":"the request took too long","extensions":{"code":"DEADLINE_EXCEEDED"}}],"extensions":{"cursor":"c1"}}"#
        );
    }
}
