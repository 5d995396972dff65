//! One socket: its handshake, its operations, and why it is closed.
//!
//! Reading and writing run side by side; every message to the client goes through one bounded channel, so operations
//! wait while the client does not read. Invariants: the close frame is the last thing sent, behind all messages of
//! operations that ended; a subscription that stops before its end is told of by it alone, since clients take an `error` for
//! the end and connect again after a close.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use chassis::principal::Principal;
use chrono::SecondsFormat;
use federation::RequestContext;
use futures::{StreamExt, stream::SplitStream};
use schema::code::ErrorCode;
use serde_json::{Map, Value};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{
    close::Close,
    message::{self, Incoming, Outgoing, PROTOCOL, Payload},
    token,
    writer::{self, CLOSE_TIMEOUT},
};
use crate::{
    serve::{
        gateway::Gateway,
        multiplex::{Ended, NotStarted, Operation, Operations, Said as _, too_many},
        origin::Origin,
        request,
    },
    stream::{Credentials, Interruption},
};

/// Messages that may wait for the socket.
const OUTGOING: usize = 8;
/// Heartbeats without any sign of the client before it counts as gone.
const SILENT_HEARTBEATS: u32 = 3;

struct Session {
    gateway: Arc<Gateway>,
    origin: Origin,
    /// What operations are run with; a fresh token changes it for the streams that are open.
    credentials: watch::Sender<RequestContext>,
    out: mpsc::Sender<Outgoing>,
    acknowledged: bool,
    operations: Operations,
    ending: Option<Ending>,
}

/// The socket is about to be closed; what is not a stream may end first.
struct Ending {
    reason: Close,
    at: Instant,
}

/// Serves a socket until either side closes it; `tracked` is what the drain waits for.
pub(super) fn serve(
    gateway: Arc<Gateway>,
    socket: WebSocket,
    origin: Origin,
    tracked: TaskTrackerToken,
) -> impl Future<Output = ()> + Send {
    let is_offered = socket
        .protocol()
        .is_some_and(|protocol| protocol == PROTOCOL);
    let (sink, stream) = socket.split();
    let (out, outgoing) = mpsc::channel(OUTGOING);
    let config = &gateway.config.stream;
    let writing = writer::write(
        sink,
        outgoing,
        config.heartbeat_interval,
        config.slow_client_timeout,
    );
    let session = Session {
        credentials: watch::Sender::new(gateway.context(origin.clone())),
        gateway,
        origin,
        out,
        acknowledged: false,
        operations: Operations::default(),
        ending: None,
    };
    // Boxed, for an async block has room for what it was given beside what it makes of that.
    let (mut writing, session) = (Box::pin(writing), Box::new(session));
    async move {
        let _tracked = tracked;
        let closed = tokio::select! {
            reason = session.run(stream, is_offered) => {
                // The session is gone and with it every sender: the writer sends what waits and gives the sink back.
                let written = timeout(CLOSE_TIMEOUT, &mut writing).await.ok();
                written.map(|(sink, _)| (sink, reason))
            }
            closed = &mut writing => Some(closed),
        };
        if let Some((sink, reason)) = closed {
            writer::close(sink, &reason).await;
        }
    }
}

impl Session {
    async fn run(
        mut self: Box<Self>,
        mut stream: SplitStream<WebSocket>,
        is_offered: bool,
    ) -> Close {
        if !is_offered {
            return Close::Subprotocol;
        }
        let init_by = Instant::now() + self.gateway.config.websocket.init_timeout;
        let silence = self.gateway.config.stream.heartbeat_interval * SILENT_HEARTBEATS;
        let idle_limit = self.gateway.config.websocket.idle_timeout;
        let credentials = Credentials::renewable(self.credentials.subscribe());
        let mut closing = self.gateway.hub.closing(credentials);
        let mut heard_at = Instant::now();
        let mut worked_at = Instant::now();
        loop {
            let is_idle = self.operations.is_empty();
            if let Some(ending) = self.ending.as_ref().filter(|_| is_idle) {
                return ending.reason.clone();
            }
            let until = self.ending.as_ref().map_or(heard_at + silence, |it| it.at);
            // One that is about to be closed has its reason.
            let watched = self.ending.is_none().then_some(&mut closing);
            if !is_idle {
                worked_at = Instant::now();
            }
            tokio::select! {
                biased;
                ended = self.operations.ended(watched) => match ended {
                    Ended::Operation => worked_at = Instant::now(),
                    Ended::Stream(interruption) => {
                        worked_at = Instant::now();
                        self.interrupted(interruption);
                    }
                    Ended::Connection(code) => self.end(Close::interrupted(code)),
                },
                () = sleep_until(worked_at + idle_limit), if is_idle => return Close::Idle,
                () = sleep_until(init_by), if !self.acknowledged => return Close::InitTimeout,
                () = sleep_until(until) => {
                    let silent = Close::interrupted(ErrorCode::SlowConsumer);
                    return self.ending.map_or(silent, |ending| ending.reason);
                }
                received = stream.next() => {
                    heard_at = Instant::now();
                    let handled = match received {
                        // What handling takes is not held while nothing comes.
                        Some(Ok(Message::Text(text))) => Box::pin(self.handle(&text)).await,
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                        Some(Ok(Message::Binary(_))) => {
                            Err(Close::BadMessage("Only text messages are served".to_owned()))
                        }
                        Some(Err(error)) => Err(failure(&error)),
                        Some(Ok(Message::Close(_))) | None => Err(Close::Gone),
                    };
                    if let Err(reason) = handled {
                        return reason;
                    }
                }
            }
        }
    }

    /// A stream stopped before its end: the socket is closed so that its client comes back.
    fn interrupted(&mut self, Interruption { error, cursor }: Interruption) {
        let is_only = self.operations.is_empty() && !cursor.is_empty();
        self.end(Close::Interrupted {
            code: error.code(),
            cursor: is_only.then_some(cursor),
        });
    }

    fn end(&mut self, reason: Close) {
        if self.ending.is_some() {
            return;
        }
        let limit = match &reason {
            Close::Interrupted {
                code: ErrorCode::ServerDraining,
                ..
            } => self.gateway.config.http.drain_timeout,
            _ => CLOSE_TIMEOUT,
        };
        self.operations.stop_streams();
        let at = Instant::now() + limit;
        self.ending = Some(Ending { reason, at });
    }

    async fn handle(&mut self, text: &str) -> Result<(), Close> {
        match message::read(text)? {
            Incoming::ConnectionInit { payload } => self.init(&payload).await,
            Incoming::Ping { payload } => self.ping(payload).await,
            Incoming::Pong { .. } => Ok(()),
            Incoming::Subscribe { id, payload } => self.subscribe(id, payload).await,
            Incoming::Complete { id } => {
                self.operations.stop(&id);
                Ok(())
            }
        }
    }

    async fn init(&mut self, payload: &Payload) -> Result<(), Close> {
        if self.acknowledged {
            return Err(Close::TooManyInits);
        }
        if let Some(token) = token::find(payload)? {
            let caller = self.gateway.callers.of_token(token);
            self.origin.caller = caller.map_err(|_| Close::Forbidden("Forbidden"))?;
            self.renewed();
        }
        self.acknowledged = true;
        let principal = self.origin.caller.principal.as_ref();
        let cursor = principal.and_then(|_| self.gateway.hub.cursor_of_now());
        self.send(message::ack(cursor.as_deref())).await
    }

    /// A ping is given back as it came. One with a token renews the socket's: its open streams go on until that one ends.
    async fn ping(&mut self, payload: Payload) -> Result<(), Close> {
        let Some(token) = token::find(&payload)?.filter(|_| self.acknowledged) else {
            return self.send(message::pong(payload)).await;
        };
        let caller = self.gateway.callers.of_token(token);
        let caller = caller.map_err(|_| Close::Forbidden("Forbidden"))?;
        let (now, fresh) = (&self.origin.caller.principal, &caller.principal);
        if now.is_some() && !is_same_caller(now.as_deref(), fresh.as_deref()) {
            return Err(Close::Forbidden("Forbidden: the token is another caller's"));
        }
        let expires_at = fresh.as_ref().map(|principal| principal.expires_at);
        self.origin.caller = caller;
        self.renewed();
        let mut said = Map::new();
        if let Some(at) = expires_at {
            let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
            said.insert("expiresAt".to_owned(), Value::from(at));
        }
        self.send(message::pong(Some(said))).await
    }

    fn renewed(&self) {
        let ctx = self.gateway.context(self.origin.clone());
        self.credentials.send_replace(ctx);
    }

    async fn subscribe(&mut self, id: String, payload: Map<String, Value>) -> Result<(), Close> {
        let request = request::from_payload(payload).map_err(|refused| {
            let first = refused.errors().first();
            let why = first.map(|first| first.message.as_str());
            Close::BadMessage(format!("Invalid message: {}", why.unwrap_or_default()))
        })?;
        if !self.acknowledged {
            return Err(Close::Unauthorized);
        }
        if self.ending.is_some() {
            // The close frame is on its way, after which the client asks again.
            return Ok(());
        }
        let max = self.gateway.config.websocket.operations_max;
        let (gateway, origin) = (Arc::clone(&self.gateway), self.origin.clone());
        let (out, credentials) = (self.out.clone(), self.credentials.subscribe());
        let started = self.operations.start(&id, max, |slot| {
            let operation = Operation {
                gateway,
                origin,
                credentials,
                out,
                slot,
                request,
                prepared: None,
            };
            operation.run()
        });
        match started {
            Ok(()) => Ok(()),
            Err(NotStarted::Duplicate) => Err(Close::Duplicate(id)),
            Err(NotStarted::TooMany) => self.send(Outgoing::error(&id, &too_many(max))).await,
        }
    }

    async fn send(&self, message: Outgoing) -> Result<(), Close> {
        self.out.send(message).await.map_err(|_| Close::Gone)
    }
}

/// Whether a fresh token gives the rights that the socket has.
fn is_same_caller(now: Option<&Principal>, fresh: Option<&Principal>) -> bool {
    let rights =
        |principal: &Principal| (principal.user, principal.scopes, principal.service.clone());
    now.map(rights) == fresh.map(rights)
}

/// A message over the limit is the client's fault; anything else that breaks the socket leaves nobody to tell.
fn failure(error: &axum::Error) -> Close {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.to_string().starts_with("Message too long") {
            return Close::TooBig;
        }
        source = cause.source();
    }
    Close::Gone
}
