//! Opens subscriptions: who may read which stream, from where, and what the first frame is.
//!
//! Invariant: for a stream with a state, without a cursor, the log's end is taken before the state is read, and events that the
//! snapshot already shows are skipped; so there is no moment at which a change can be missed or shown twice.

use std::{collections::VecDeque, sync::Arc};

use chassis::{
    budget::{Budget, RateLimitKey},
    clock::Clock,
    principal::{Principal, Signer},
};
use federation::{Engine, Prepared, RequestContext, subgraph::FetchError};
use order_stream::{EventStream, TopicEvent};
use schema::code::ErrorCode;
use serde_json::Value;

use super::{
    closing::{Closing, Expiries},
    complete::Completer,
    credentials::Credentials,
    described::{Readers, Streams},
    drain::Drain,
    field::{Field, Granted},
    identity::Identities,
    lag::{self, Lag},
    live::LiveStream,
    log::EventLog,
    metrics::{self, OpenStream},
    opened::Subscription,
    pending::PendingFrame,
    resume::{ResumeHints, ResumePoint, Seen},
    shared::Frames,
    snapshot::{self, Snapshot},
    source::{Source, caller},
    state,
    subscription::LogStream,
    topic::Subject,
};
use crate::{admission::StreamLimits, config, error::RequestError};

/// Opens streams over the logs of events.
#[derive(Debug)]
pub(crate) struct Hub {
    engine: Arc<Engine>,
    budget: Arc<Budget>,
    frames: Arc<Frames>,
    log: Arc<EventLog>,
    clock: Clock,
    config: Arc<config::Stream>,
    limits: Arc<StreamLimits>,
    drain: Drain,
    expiries: Expiries,
}

impl Hub {
    /// A hub over `log` whose frames `engine` completes.
    pub(crate) fn new(
        engine: Arc<Engine>,
        budget: Arc<Budget>,
        log: Arc<EventLog>,
        signer: Arc<Signer>,
        clock: Clock,
        config: config::Stream,
        drain: Drain,
    ) -> Self {
        metrics::announce();
        lag::announce();
        let limits = StreamLimits::new(config.per_caller_max, config.total_max);
        let identities = |lanes| Identities::new(signer, clock.clone(), lanes);
        let frames = Frames::new(
            Arc::clone(&engine),
            Arc::clone(&budget),
            identities,
            config.clone(),
        );
        Self {
            engine,
            budget,
            frames: Arc::new(frames),
            expiries: Expiries::start(clock.clone(), log.tasks()),
            log,
            clock,
            config: Arc::new(config),
            limits,
            drain,
        }
    }

    /// What frames are charged to, as every operation is.
    pub(crate) fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget)
    }

    /// What ends streams at shutdown.
    pub(crate) fn drain(&self) -> Drain {
        self.drain.clone()
    }

    /// The clock by which streams end.
    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// What ends a stream or a socket with `credentials`.
    pub(crate) fn closing(&self, credentials: Credentials) -> Closing {
        Closing {
            turn: self.drain.turn(),
            expiries: self.expiries.clone(),
            credentials,
        }
    }

    /// A place at or before the end of the log, for a client that has no other: what happens from now on is behind it. It is
    /// not asked for, so there is none while the log is behind its topic.
    pub(crate) fn cursor_of_now(&self) -> Option<String> {
        let reached = self.log.running()?.reached()?;
        Some(ResumePoint::before_anything(reached).to_string())
    }

    /// Whether a stream goes on behind a cursor.
    pub(crate) fn resumes(prepared: &Prepared, hints: &ResumeHints) -> bool {
        let after = prepared.subscription();
        let after = after.and_then(|call| call.arguments.get("after"));
        hints.is_some() || after.is_some_and(Value::is_string)
    }

    /// Opens the stream that `prepared` asks for; it counts against the limits of `key`.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` for order events without a caller, `FORBIDDEN` for `allOrderEvents` without scope `ops`, `NOT_FOUND` for a
    /// foreign or absent order, `INVALID_ARGUMENT` for a bad id or cursor, `OVERLOADED` at a limit, and
    /// `SERVER_DRAINING` at shutdown.
    pub(crate) async fn open(
        &self,
        prepared: Prepared,
        ctx: RequestContext,
        credentials: Credentials,
        hints: &ResumeHints,
        key: RateLimitKey,
    ) -> Result<Subscription, RequestError> {
        if self.drain.has_begun() {
            return Err(RequestError::masked(ErrorCode::ServerDraining));
        }
        if !self.engine.is_own_subscription(&prepared) {
            let stream = Box::pin(self.open_live(prepared, ctx, credentials, key)).await?;
            return Ok(Subscription::Live(Box::new(stream)));
        }
        let principal = ctx.data.get::<Arc<Principal>>();
        let call = prepared
            .subscription()
            .ok_or_else(|| RequestError::masked(ErrorCode::Internal))?;
        let field = Field::of(call, &Streams::of(&prepared))?;
        let reloads = self.engine.reloads();
        let granted = field.grant(principal.map(|it| &**it))?;
        let after = call.arguments.get("after").and_then(Value::as_str);
        let resume = hints.resume_point(after)?;
        let permit = self.limits.admit(key.clone())?;
        let Start {
            point,
            cursor,
            snapshot,
            is_over,
        } = self.start(&field, &granted, resume, &ctx).await?;
        let (reads_for, from) = (caller(&key), point.cursor);
        let subject = field.subject();
        let source = match granted {
            Granted::Orders(scope) => {
                Source::Orders(self.log.get().reader(scope, from).of(reads_for))
            }
            Granted::Topic(topic, reading, scope) => {
                let reader = self.log.topic(&topic, &reading).reader(scope, from);
                Source::Topic(reader.of(reads_for))
            }
        };
        let completer = Completer {
            frames: Arc::clone(&self.frames),
            asker: self.frames.asker(prepared, ctx, key),
        };
        Ok(Subscription::Logged(Box::new(LogStream {
            config: Arc::clone(&self.config),
            source,
            seen: point.seen,
            snapshot: snapshot.map(Box::new),
            completer,
            ready: VecDeque::new(),
            failed: None,
            cursor,
            lag: Lag::of_a_stream(self.clock.clone()),
            closing: self.closing(credentials.clone()),
            credentials,
            order: field.order(),
            subject,
            is_waiting: false,
            is_over,
            reloads,
            _permit: permit,
            _open: OpenStream::count(field.name()),
        })))
    }

    /// Opens a stream of a subgraph of others, which says itself who may read what.
    async fn open_live(
        &self,
        prepared: Prepared,
        ctx: RequestContext,
        credentials: Credentials,
        key: RateLimitKey,
    ) -> Result<LiveStream, RequestError> {
        let reloads = self.engine.reloads();
        let permit = self.limits.admit(key.clone())?;
        let listener = self.engine.listen(&prepared, &ctx).await.map_err(refused)?;
        Ok(LiveStream {
            config: Arc::clone(&self.config),
            engine: Arc::clone(&self.engine),
            frames: Arc::clone(&self.frames),
            asker: self.frames.asker(prepared, ctx, key),
            listener,
            may_be_missing: false,
            closing: self.closing(credentials.clone()),
            credentials,
            reloads,
            _permit: permit,
            _open: OpenStream::count(metrics::OF_OTHERS.into()),
        })
    }

    /// Where the stream begins, and the snapshot that comes before its events.
    async fn start(
        &self,
        field: &Field,
        granted: &Granted,
        resume: Option<ResumePoint>,
        ctx: &RequestContext,
    ) -> Result<Start, RequestError> {
        if let (Some(subject), Granted::Topic(topic, reading, _)) = (field.subject(), granted) {
            let log = self.log.topic(topic, reading);
            return self.start_topic(&subject, &log, resume, ctx).await;
        }
        match (field.order(), resume) {
            // Of the order that was to be shown nothing was: it is read now, and the events go on where they were to begin.
            (Some(order), Some(point)) if point.shows_nothing_of(order.get()) => {
                let shown =
                    Box::pin(snapshot::load(&self.engine, field.state(), order, ctx)).await?;
                Ok(Start::behind(point.cursor, shown))
            }
            // The broker may be away: the stream waits for it, or reads on in the log.
            (order, Some(point)) => {
                let mut is_over = false;
                if let Some(order) = order {
                    // Reading the order is what checks the caller's right to it.
                    let shown =
                        Box::pin(snapshot::load(&self.engine, field.state(), order, ctx)).await?;
                    is_over = shown.is_last() && point.seen == Some(shown.seen());
                }
                Ok(Start {
                    is_over,
                    ..Start::at(point)
                })
            }
            (Some(order), None) => {
                // The end is taken before the order is read: see the invariant above.
                let end = self.end().await?;
                let shown =
                    Box::pin(snapshot::load(&self.engine, field.state(), order, ctx)).await?;
                Ok(Start::behind(end, shown))
            }
            (None, None) => Ok(Start::at(ResumePoint::new(self.end().await?, None))),
        }
    }

    /// The same for a topic beside the order events.
    async fn start_topic(
        &self,
        subject: &Subject,
        log: &EventStream<TopicEvent>,
        resume: Option<ResumePoint>,
        ctx: &RequestContext,
    ) -> Result<Start, RequestError> {
        // A place that was given before anything was asked for is among the order events: it says nothing here.
        let resume = resume.filter(|point| !point.is_before_anything());
        let shown_first = subject.number().filter(|_| subject.of.state.is_some());
        let from = match (resume, shown_first) {
            (Some(point), Some(number)) if point.shows_nothing_of(number) => point.cursor,
            (Some(point), _) => {
                if subject.of.readers == Readers::WhoSeesTheState {
                    // Reading the state is what checks the caller's right to it.
                    Box::pin(state::load(&self.engine, subject, ctx)).await?;
                }
                return Ok(Start::at(point));
            }
            (None, _) => {
                let end = log.end_cursor().await;
                end.map_err(|_| RequestError::masked(ErrorCode::Unavailable))?
            }
        };
        let Some(number) = shown_first else {
            return Ok(Start::at(ResumePoint::new(from, None)));
        };
        let shown = Box::pin(state::load(&self.engine, subject, ctx)).await?;
        let before = ResumePoint::new(from.clone(), Some(Seen::nothing(number)));
        let seen = Seen::of(number, shown.version.unwrap_or_default());
        let point = ResumePoint::new(from, Some(seen));
        Ok(Start {
            cursor: before.to_string(),
            snapshot: Some(PendingFrame::topic_state(shown, &point)),
            point,
            is_over: false,
        })
    }

    async fn end(&self) -> Result<order_stream::Cursor, RequestError> {
        let end = self.log.get().end_cursor().await;
        end.map_err(|_| RequestError::masked(ErrorCode::Unavailable))
    }
}

/// Where a stream begins.
struct Start {
    /// Where its events begin.
    point: ResumePoint,
    /// What the client resumes from until it has the first frame.
    cursor: String,
    /// The frame before the events.
    snapshot: Option<PendingFrame>,
    /// Whether no event can follow.
    is_over: bool,
}

impl Start {
    fn at(point: ResumePoint) -> Self {
        Self {
            cursor: point.to_string(),
            point,
            snapshot: None,
            is_over: false,
        }
    }

    /// Events from `end` on, without those that the snapshot shows.
    fn behind(end: order_stream::Cursor, shown: Snapshot) -> Self {
        let before = ResumePoint::new(end.clone(), Some(Seen::nothing(shown.order.get())));
        let point = ResumePoint::new(end, Some(shown.seen()));
        let is_over = shown.is_last();
        Self {
            cursor: before.to_string(),
            snapshot: Some(PendingFrame::snapshot(shown, &point)),
            point,
            is_over,
        }
    }
}

/// Why a subgraph's subscription is not open.
fn refused(error: FetchError) -> RequestError {
    tracing::warn!(%error, "a subgraph does not open a subscription");
    match error {
        FetchError::Subscriptions { .. } => RequestError::masked(ErrorCode::Overloaded)
            .with("limit", "engine.fetch.subscriptions_max"),
        FetchError::NoSubscriptions => RequestError::new(
            ErrorCode::Unavailable,
            "the subgraph of this field takes no subscriptions",
        ),
        _ => RequestError::masked(ErrorCode::Unavailable),
    }
}
