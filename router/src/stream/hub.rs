//! Opens subscriptions: who may read which stream, from where, and what the first frame is.
//!
//! Invariant: for `orderEvents` without a cursor the log's end is taken before the order is read, and events that the
//! snapshot already shows are skipped; so there is no moment at which a change can be missed or shown twice.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use chassis::{
    clock::Clock,
    crash,
    mutant::{self, Mutant},
    telemetry::trace,
};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use order_stream::{OrderStream, Stopped};
use schema::{code::ErrorCode, id::OrderId};
use serde_json::Value;
use tracing::Instrument as _;

use super::{
    drain::Drain,
    field::Field,
    frame::{self, End, Frame},
    gate::{Caller, Gate, Permit},
    metrics,
    resume::{Place, ResumeHints, Seen},
    snapshot,
    source::{Item, Source},
};
use crate::{
    config,
    engine::{Engine, GraphResponse, Prepared, RequestContext},
    error::RequestError,
};

/// Opens streams over the order-event log.
#[derive(Debug)]
pub struct Hub {
    engine: Arc<Engine>,
    log: OrderStream,
    clock: Clock,
    config: config::Stream,
    gate: Arc<Gate>,
    drain: Drain,
}

/// One open stream.
#[derive(Debug)]
pub struct Subscription {
    engine: Arc<Engine>,
    prepared: Prepared,
    ctx: RequestContext,
    clock: Clock,
    config: config::Stream,
    source: Source,
    seen: Option<Seen>,
    /// Events that are not resolved yet: the snapshot.
    first: Option<Pending>,
    /// Frames that are resolved and not yet taken.
    ready: VecDeque<Frame>,
    /// The cursor that the client has once it took the last frame.
    last: String,
    closing: Closing,
    _permit: Permit,
    _open: OpenGauge,
}

/// When a stream must end whatever its client does.
#[derive(Debug, Clone)]
pub struct Closing {
    drain: Drain,
    clock: Clock,
    expires_at: Option<DateTime<Utc>>,
}

#[derive(Debug)]
struct Pending {
    event: Value,
    cursor: String,
    moment: Option<DateTime<Utc>>,
    /// The trace of the change that the frame tells of.
    traceparent: Option<String>,
}

impl Hub {
    /// A hub over `log` whose frames `engine` completes.
    #[must_use]
    pub fn new(
        engine: Arc<Engine>,
        log: OrderStream,
        clock: Clock,
        config: config::Stream,
        drain: Drain,
    ) -> Self {
        metrics::announce();
        let gate = Gate::new(config.per_caller_max, config.total_max);
        Self {
            engine,
            log,
            clock,
            config,
            gate,
            drain,
        }
    }

    /// The settings that transports share.
    #[must_use]
    pub const fn config(&self) -> &config::Stream {
        &self.config
    }

    /// Resolves when a token that ends at `expires_at` has ended.
    pub async fn expired(&self, expires_at: DateTime<Utc>) {
        let clock = self.clock.clone();
        Closing {
            drain: self.drain.clone(),
            clock,
            expires_at: Some(expires_at),
        }
        .expired()
        .await;
    }

    /// Opens the stream that `prepared` asks for.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` without a caller, `FORBIDDEN` for `allOrderEvents` without scope `ops`, `NOT_FOUND` for a
    /// foreign or absent order, `INVALID_ARGUMENT` for a bad id or cursor, `OVERLOADED` at a limit, and
    /// `SERVER_DRAINING` at shutdown.
    pub async fn open(
        &self,
        prepared: Prepared,
        ctx: RequestContext,
        hints: ResumeHints,
    ) -> Result<Subscription, RequestError> {
        if self.drain.has_begun() {
            return Err(RequestError::masked(ErrorCode::ServerDraining));
        }
        let principal = ctx.principal.clone();
        let principal =
            principal.ok_or_else(|| RequestError::masked(ErrorCode::Unauthenticated))?;
        let call = self.engine.subscription(&prepared);
        let field = Field::of(&call)?;
        let scope = field.scope(&principal)?;
        let resume = hints.place(call.arguments.get("after").and_then(Value::as_str))?;
        let resume = resume.filter(|_| !mutant::is_on(Mutant::ResumeFromNow));
        let permit = self.gate.enter(Caller::of(Some(&principal)))?;

        // The end is taken before the order is read: see the invariant above.
        let end = self.log.end_cursor().await.map_err(|_| unavailable())?;
        let (place, first) = match (field, resume) {
            (Field::Order(order), resume) => {
                let shown = snapshot::load(&self.engine, order, &ctx).await?;
                resume.map_or_else(|| at_snapshot(end, order, &shown), |place| (place, None))
            }
            (Field::Mine | Field::All, Some(place)) => (place, None),
            (Field::Mine | Field::All, None) => (
                Place {
                    cursor: end,
                    seen: None,
                },
                None,
            ),
        };
        Ok(Subscription {
            engine: Arc::clone(&self.engine),
            prepared,
            clock: self.clock.clone(),
            config: self.config.clone(),
            source: Source::open(&self.log, scope, place.cursor.clone()),
            seen: place.seen,
            first,
            ready: VecDeque::new(),
            last: place.to_string(),
            closing: Closing {
                drain: self.drain.clone(),
                clock: self.clock.clone(),
                expires_at: Some(principal.expires_at)
                    .filter(|_| !mutant::is_on(Mutant::TokenExpiryIgnored)),
            },
            ctx,
            _permit: permit,
            _open: OpenGauge::new(field.name()),
        })
    }
}

impl Subscription {
    /// The next frame, or why there is none any more.
    ///
    /// # Errors
    /// [`End`] with the cursor from which the client can go on.
    pub async fn next(&mut self) -> Result<Frame, End> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                self.last.clone_from(&frame.cursor);
                return Ok(frame);
            }
            let closing = self.closing.clone();
            let code = tokio::select! {
                biased;
                code = closing.due() => Some(code),
                filled = self.fill() => filled.err(),
            };
            if let Some(code) = code {
                return Err(End::resumable(code, &self.last));
            }
        }
    }

    /// The cursor that the client has once it took the last frame.
    #[must_use]
    pub fn cursor(&self) -> &str {
        &self.last
    }

    /// When the stream must end even though its client takes nothing.
    #[must_use]
    pub fn closing(&self) -> Closing {
        self.closing.clone()
    }

    /// The settings that transports share.
    #[must_use]
    pub const fn config(&self) -> &config::Stream {
        &self.config
    }

    /// Resolves the snapshot, or whatever the log has ready, keeping its order.
    async fn fill(&mut self) -> Result<(), ErrorCode> {
        let pending = match self.first.take() {
            Some(first) => vec![first],
            None => self.read().await?,
        };
        let this = &*self;
        let frames: Vec<Frame> = futures::stream::iter(pending)
            .map(|pending| this.resolve(pending))
            .buffered(this.config.concurrent_frames.max(1))
            .collect()
            .await;
        self.ready.extend(frames);
        Ok(())
    }

    async fn read(&mut self) -> Result<Vec<Pending>, ErrorCode> {
        let taken = self.source.take(self.config.concurrent_frames.max(1)).await;
        let taken = taken.map_err(|Stopped| ErrorCode::ServerDraining)?;
        let mut pending = Vec::with_capacity(taken.items.len());
        for item in taken.items {
            if matches!(item, Item::Event(..)) {
                crash::at("stream::after_read");
            }
            match item {
                Item::Event(event, _) if self.seen.is_some_and(|seen| seen.covers(&event)) => {}
                Item::Event(event, cursor) => {
                    self.seen = self.seen.filter(|seen| !seen.is_passed_by(&event));
                    let cursor = Place {
                        cursor,
                        seen: self.seen,
                    }
                    .to_string();
                    let moment = taken.at_the_end.then_some(event.moment);
                    pending.push(Pending {
                        event: frame::change(&event, &cursor),
                        cursor,
                        moment,
                        traceparent: event.traceparent.clone(),
                    });
                    metrics::FRAMES.with_label_values(&["CHANGE"]).inc();
                }
                Item::Gap(cursor) => {
                    // The client reads anew from here, perhaps another stream, whose versions begin at 1.
                    self.seen = None;
                    let cursor = cursor.to_string();
                    pending.push(Pending {
                        event: frame::gap(&cursor),
                        cursor,
                        moment: None,
                        traceparent: None,
                    });
                    metrics::FRAMES.with_label_values(&["GAP"]).inc();
                }
            }
        }
        Ok(pending)
    }

    /// Completes a frame, in the trace of its change and with a link to the subscription's own.
    async fn resolve(&self, pending: Pending) -> Frame {
        let request = self.ctx.traceparent.as_deref();
        let span = tracing::debug_span!(
            "frame",
            otel.name = "order event frame",
            otel.kind = "consumer",
            cursor = %pending.cursor,
            trace_id = tracing::field::Empty,
        );
        let span = match pending.traceparent.as_deref() {
            Some(change) => {
                let span = trace::follow(span, Some(change));
                trace::link(&span, request);
                span
            }
            None => trace::follow(span, request),
        };
        self.complete(pending).instrument(span).await
    }

    async fn complete(&self, pending: Pending) -> Frame {
        let deadline = tokio::time::Instant::now() + self.config.frame_timeout;
        let ctx = RequestContext {
            deadline,
            ..self.ctx.clone()
        };
        let answer = self
            .engine
            .execute_event(&self.prepared, pending.event, &ctx);
        // The engine keeps the deadline itself; the second after it is for its own answer.
        let answer = tokio::time::timeout_at(deadline + Duration::from_secs(1), answer).await;
        let answer = answer.unwrap_or_else(|_| late());
        if let Some(moment) = pending.moment {
            let age = (self.clock.now() - moment).to_std().unwrap_or_default();
            metrics::EVENT_TO_FRAME.observe(&[], age.as_secs_f64());
        }
        frame::seal(&answer, pending.cursor)
    }
}

impl Closing {
    /// Resolves to the reason when the stream must end: the drain began, or the caller's token ended.
    pub async fn due(&self) -> ErrorCode {
        tokio::select! {
            () = self.drain.begun() => ErrorCode::ServerDraining,
            () = self.expired() => ErrorCode::TokenExpired,
        }
    }

    /// Looks at the clock at least once a second, so that a clock that jumps is noticed.
    async fn expired(&self) {
        let Some(expires_at) = self.expires_at else {
            return std::future::pending().await;
        };
        loop {
            let left = (expires_at - self.clock.now()).to_std().unwrap_or_default();
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        }
    }
}

/// The place behind a snapshot, and the snapshot as the first event.
fn at_snapshot(
    end: order_stream::Cursor,
    order: OrderId,
    shown: &snapshot::Snapshot,
) -> (Place, Option<Pending>) {
    let place = Place {
        cursor: end,
        seen: Some(Seen {
            order,
            version: shown.version,
        }),
    };
    let cursor = place.to_string();
    let event = frame::snapshot(&cursor, order, shown.version, shown.status, &shown.at);
    metrics::FRAMES.with_label_values(&["SNAPSHOT"]).inc();
    (
        place,
        Some(Pending {
            event,
            cursor,
            moment: None,
            traceparent: None,
        }),
    )
}

fn unavailable() -> RequestError {
    RequestError::masked(ErrorCode::Unavailable)
}

fn late() -> GraphResponse {
    let body = RequestError::masked(ErrorCode::DeadlineExceeded).to_body();
    GraphResponse {
        body,
        had_data: false,
        errors: 1,
    }
}

/// Counts an open stream until it is dropped.
#[derive(Debug)]
struct OpenGauge(&'static str);

impl OpenGauge {
    fn new(field: &'static str) -> Self {
        metrics::SUBSCRIBERS.with_label_values(&[field]).inc();
        Self(field)
    }
}

impl Drop for OpenGauge {
    fn drop(&mut self) {
        metrics::SUBSCRIBERS.with_label_values(&[self.0]).dec();
    }
}
