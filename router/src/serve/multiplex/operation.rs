//! One operation of a connection, from its request to the last that is said of it.
//!
//! Invariant: the id is free again before the message that ends the operation leaves, so a client may use it at once.

use std::{pin::pin, sync::Arc};

use chassis::telemetry::trace;
use federation::{GraphRequest, OperationKind, Prepared, RequestContext};
use schema::code::ErrorCode;
use tokio::sync::watch;
use tracing::{Instrument as _, Span};

use super::{Gone, Voice, operations::Slot};
use crate::{
    error::{RETRY_AFTER_SECONDS, RequestError},
    serve::{gateway::Gateway, origin::Origin, request, telemetry},
    stream::{Credentials, End, Heartbeats, Interruption, ResumeHints, Subscription},
};

/// An operation that is about to run.
#[derive(Debug)]
pub(in crate::serve) struct Operation<V> {
    pub(in crate::serve) gateway: Arc<Gateway>,
    pub(in crate::serve) origin: Origin,
    /// The newest of the connection's caller.
    pub(in crate::serve) credentials: watch::Receiver<RequestContext>,
    pub(in crate::serve) voice: V,
    pub(in crate::serve) slot: Slot,
    pub(in crate::serve) request: GraphRequest,
    /// The request, where it was prepared before it was accepted.
    pub(in crate::serve) prepared: Option<Box<Prepared>>,
}

/// Heartbeats between two words of where a quiet stream is: what is read again from the one before is soon read.
const PLACE_EVERY: u32 = 5;

/// What came of the beginning.
enum Begun {
    Streams {
        subscription: Subscription,
        tells_end: bool,
    },
    Ended(End),
}

/// Why an operation got no further.
enum Stop {
    /// The connection is gone: nothing can be sent any more.
    Gone,
    Refused(RequestError),
}

impl From<Gone> for Stop {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl From<RequestError> for Stop {
    fn from(error: RequestError) -> Self {
        Self::Refused(error)
    }
}

impl<V: Voice> Operation<V> {
    /// Runs to the end, which is one of `complete`, `error`, or silence when the client is gone. What stops before its end
    /// says nothing to the client either, and is returned.
    pub(in crate::serve) fn run(mut self) -> impl Future<Output = Option<Interruption>> + Send {
        let span = tracing::info_span!(
            "operation",
            otel.name = V::SPAN,
            otel.kind = "server",
            trace_id = tracing::field::Empty,
        );
        let (span, header) = trace::begin(span, self.origin.traceparent.as_deref());
        self.origin.traceparent = Some(header);
        Box::new(self).run_traced(span)
    }

    async fn run_traced(mut self: Box<Self>, span: Span) -> Option<Interruption> {
        // What the beginning takes is not held while the stream waits, nor is its span: each frame has one of its own.
        let begun = Box::pin(self.begin().instrument(span)).await;
        let saying = self.begun();
        let end = match begun {
            Ok(Begun::Ended(end)) => Ok(end),
            Ok(Begun::Streams {
                subscription,
                tells_end,
            }) => match saying.stream(subscription).await {
                Ok(End::Interrupted(why)) if tells_end => Ok(End::Refused(why.error)),
                ended => ended,
            },
            Err(stop) => Err(stop),
        };
        let end = match end {
            Ok(end) => end,
            Err(Stop::Refused(error)) => End::Refused(error),
            Err(Stop::Gone) => return None,
        };
        saying.slot.free();
        let id = saying.slot.id();
        let said = match end {
            End::Complete => saying.voice.complete(id).await,
            End::Refused(error) => {
                let error = telemetry::traced(error, saying.traceparent.as_deref());
                saying.voice.error(id, &error).await
            }
            End::Interrupted(why) => {
                why.error.count();
                return Some(why);
            }
        };
        // A client that has gone misses the last word.
        let _is_heard = said.is_ok();
        None
    }

    /// Lets go of what only the beginning needs.
    fn begun(self) -> Saying<V> {
        let Self {
            voice,
            slot,
            origin,
            ..
        } = self;
        Saying {
            voice,
            slot,
            traceparent: origin.traceparent,
        }
    }

    async fn begin(&mut self) -> Result<Begun, Stop> {
        let key = self.origin.rate_limit_key();
        let prepared = match self.prepared.take() {
            Some(prepared) => *prepared,
            None => self.gateway.prepare(&self.request, key.clone()).await?,
        };
        telemetry::operation(&prepared);
        if prepared.kind() == OperationKind::Subscription {
            let rights = self.credentials.borrow().clone();
            let traceparent = self.origin.traceparent.clone();
            let ctx = self.gateway.context_with(&rights, traceparent);
            return self.open(prepared, ctx).await;
        }
        let ctx = self.gateway.context(self.origin.clone());
        let executed = self.gateway.run(prepared, ctx, key, None).await?;
        let body = &executed.response.body;
        self.voice.next(self.slot.id(), body).await?;
        Ok(Begun::Ended(End::Complete))
    }

    async fn open(&self, prepared: Prepared, ctx: RequestContext) -> Result<Begun, Stop> {
        let hints = ResumeHints::default().with_extensions(&self.request.extensions)?;
        let tells_end = request::tells_end(&self.request)?;
        let credentials = Credentials::renewable(self.credentials.clone());
        let key = self.origin.rate_limit_key();
        let opened = self.gateway.open(prepared, ctx, credentials, hints, key);
        Ok(match opened.await {
            Ok(subscription) => Begun::Streams {
                subscription,
                tells_end,
            },
            Err(End::Interrupted(why)) if tells_end => Begun::Ended(End::Refused(why.error)),
            Err(end) => Begun::Ended(end),
        })
    }
}

/// What is left of an operation once it has begun.
struct Saying<V> {
    voice: V,
    slot: Slot,
    traceparent: Option<String>,
}

impl<V: Voice> Saying<V> {
    async fn stream(&self, mut subscription: Subscription) -> Result<End, Stop> {
        self.slot.streams();
        let mut closing = subscription.closing();
        let mut due = pin!(closing.due());
        let mut taken = subscription.cursor().to_owned();
        // The connection has its own signs of life; here it is only told where the stream is.
        let interval = subscription.config().heartbeat_interval * PLACE_EVERY;
        let mut heartbeats = Heartbeats::every(interval, |cursor| {
            if let Some(cursor) = cursor {
                self.voice.place(self.slot.id(), cursor);
            }
        });
        loop {
            let frame = match subscription.next(&mut heartbeats, due.as_mut()).await {
                Ok(frame) => frame,
                Err(end) => return Ok(end),
            };
            tokio::select! {
                said = self.voice.next(self.slot.id(), &frame.body) => said?,
                code = &mut due => return Ok(End::interrupted(code, &taken)),
            }
            taken = frame.cursor;
        }
    }
}

/// The refusal of an operation that is one too many for its connection.
pub(in crate::serve) fn too_many(max: usize) -> RequestError {
    let message = format!("a connection runs at most {max} operations at once");
    RequestError::new(ErrorCode::Overloaded, message)
        .with("limit", "websocket.operations_max")
        .with(RETRY_AFTER_SECONDS, 1)
}
