//! One operation of a socket, from its `subscribe` message to its last.
//!
//! Invariant: the id is free again before the message that ends the operation leaves, so a client may use it at once.

use std::sync::Arc;

use axum::extract::ws::Message;
use chassis::telemetry::trace;
use federation::{OperationKind, Prepared, RequestContext};
use schema::code::ErrorCode;
use serde_json::Value;
use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::{message, operations::Slot};
use crate::{
    error::RequestError,
    serve::{gateway::Gateway, origin::Origin, request, telemetry},
    stream::{End, ResumeHints},
};

/// An operation that is about to run.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) gateway: Arc<Gateway>,
    pub(super) origin: Origin,
    pub(super) out: mpsc::Sender<Message>,
    pub(super) slot: Slot,
    pub(super) payload: Value,
}

/// The socket is gone: nothing can be sent any more.
struct Gone;

impl Operation {
    /// Runs to the end, which is always one of `complete`, `error`, or silence when the client is gone.
    pub(super) async fn run(mut self) {
        let span = tracing::info_span!(
            "operation",
            otel.name = "WebSocket operation",
            otel.kind = "server",
            trace_id = tracing::field::Empty,
        );
        let (span, header) = trace::begin(span, self.origin.traceparent.as_deref());
        self.origin.traceparent = Some(header);
        self.run_traced().instrument(span).await;
    }

    async fn run_traced(self) {
        let id = self.slot.id();
        let traceparent = self.origin.traceparent.as_deref();
        let last = match self.respond().await {
            Ok(End { error: None }) => message::complete(id),
            Ok(End { error: Some(error) }) => {
                message::error(id, &telemetry::traced(error, traceparent))
            }
            Err(Gone) => return,
        };
        self.slot.free();
        drop(self.out.send(last).await);
    }

    async fn respond(&self) -> Result<End, Gone> {
        match self.prepare().await {
            Err(error) => Ok(End::refused(error)),
            Ok((prepared, ctx, hints)) if prepared.kind() == OperationKind::Subscription => {
                self.subscribe(prepared, ctx, hints).await
            }
            Ok((prepared, ctx, _)) => self.once(prepared, ctx).await,
        }
    }

    async fn prepare(&self) -> Result<(Prepared, RequestContext, ResumeHints), RequestError> {
        let request = request::from_value(self.payload.clone())?;
        let prepared = self
            .gateway
            .prepare(&request, self.origin.rate_limit_key())
            .await?;
        telemetry::operation(&prepared);
        let ctx = self.gateway.context(self.origin.clone());
        let hints = ResumeHints::default().with_extensions(&request.extensions);
        Ok((prepared, ctx, hints))
    }

    async fn once(&self, prepared: Prepared, ctx: RequestContext) -> Result<End, Gone> {
        let key = self.origin.rate_limit_key();
        match self.gateway.run(prepared, ctx, key, None).await {
            Err(error) => Ok(End::refused(error)),
            Ok(executed) => {
                let next = message::next(self.slot.id(), &executed.response.body);
                self.send(next).await?;
                Ok(End::COMPLETE)
            }
        }
    }

    async fn subscribe(
        &self,
        prepared: Prepared,
        ctx: RequestContext,
        hints: ResumeHints,
    ) -> Result<End, Gone> {
        let key = self.origin.rate_limit_key();
        let opened = self.gateway.open(prepared, ctx, hints, key);
        let mut subscription = match opened.await {
            Ok(subscription) => subscription,
            Err(error) => return Ok(End::refused(error)),
        };
        let closing = subscription.closing();
        let mut taken = subscription.cursor().to_owned();
        loop {
            let frame = match subscription.next().await {
                Ok(frame) => frame,
                Err(end) => return Ok(end),
            };
            tokio::select! {
                sent = self.send(message::next(self.slot.id(), &frame.body)) => sent?,
                code = closing.due() => return Ok(End::resumable(code, &taken)),
            }
            taken = frame.cursor;
        }
    }

    /// Waits for room: the socket's pace is the stream's pace.
    async fn send(&self, message: Message) -> Result<(), Gone> {
        self.out.send(message).await.map_err(|_| Gone)
    }
}

/// The refusal of an operation that is one too many for its socket.
pub(super) fn too_many(max: usize) -> RequestError {
    let message = format!("a socket runs at most {max} operations at once");
    RequestError::new(ErrorCode::Overloaded, message).with("limit", "websocket.operations_max")
}
