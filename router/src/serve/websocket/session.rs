//! One socket: its handshake, its operations, and why it is closed.
//!
//! One task reads, and watches what is not written; operations write by themselves, each when the client has taken what was
//! before. Invariants: the close frame is the last thing sent, behind all messages of operations that ended; a subscription that
//! stops before its end is told of by it alone, since clients take an `error` for the end and connect again after a close.

use std::sync::Arc;

use chassis::{
    listen::{Stalled, Wire},
    principal::Principal,
};
use chrono::SecondsFormat;
use federation::RequestContext;
use schema::code::ErrorCode;
use serde_json::{Map, Value};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tungstenite::Message;

use super::{
    close::Close,
    message::{self, Incoming, Payload},
    reader::Reader,
    token,
    writer::{CLOSE_TIMEOUT, Writer},
};
use crate::{
    serve::{
        gateway::Gateway,
        multiplex::{Ended, Gone, NotStarted, Operation, Operations, Voice as _, too_many},
        origin::Origin,
        request, telemetry,
    },
    stream::{Credentials, Interruption, together},
};

/// Heartbeats without any sign of the client before it counts as gone.
const SILENT_HEARTBEATS: u32 = 3;

struct Session {
    gateway: Arc<Gateway>,
    origin: Origin,
    /// What operations are run with; a fresh token changes it for the streams that are open.
    credentials: watch::Sender<RequestContext>,
    wire: Arc<Wire>,
    writer: Writer,
    times: Times,
    acknowledged: bool,
    operations: Operations,
    ending: Option<Ending>,
}

/// The socket is about to be closed; what is not a stream may end first.
struct Ending {
    reason: Close,
    at: Instant,
}

/// When what has happened.
struct Times {
    opened: Instant,
    /// The last sign of the client.
    heard: Instant,
    /// The last that an operation ran.
    worked: Instant,
    pinged: Instant,
}

/// What is due by the clock.
#[derive(Debug, Clone, Copy)]
enum Due {
    Ping,
    /// No `connection_init` has come.
    Init,
    /// No operation has run.
    Idle,
    /// The client has given no sign.
    Silence,
    /// What may end before the close has had its time.
    Close,
}

/// Serves a socket until either side closes it; `tracked` is what the drain waits for.
pub(super) fn serve(
    gateway: Arc<Gateway>,
    wire: Wire,
    origin: Origin,
    tracked: TaskTrackerToken,
    is_offered: bool,
) -> impl Future<Output = ()> + Send {
    let wire = Arc::new(wire);
    let writer = Writer::new(Arc::clone(&wire));
    let now = Instant::now();
    let session = Box::new(Session {
        credentials: watch::Sender::new(gateway.context(origin.clone())),
        gateway,
        origin,
        wire,
        writer: writer.clone(),
        times: Times {
            opened: now,
            heard: now,
            worked: now,
            pinged: now,
        },
        acknowledged: false,
        operations: Operations::default(),
        ending: None,
    });
    async move {
        let reason = if is_offered {
            session.run().await
        } else {
            Close::Subprotocol
        };
        writer.close(&reason).await;
        drop(tracked);
        writer.end().await;
    }
}

impl Session {
    async fn run(mut self: Box<Self>) -> Close {
        let wire = Arc::clone(&self.wire);
        let mut reader = Reader::new(self.gateway.config.http.body_limit_bytes);
        let credentials = Credentials::renewable(self.credentials.subscribe());
        let mut closing = self.gateway.hub.closing(credentials);
        let stalled = wire.stalled(self.gateway.config.stream.slow_client_timeout);
        let mut stalled = std::pin::pin!(stalled);
        loop {
            let is_idle = self.operations.is_empty();
            if let Some(ending) = self.ending.as_ref().filter(|_| is_idle) {
                return ending.reason.clone();
            }
            if !is_idle {
                self.times.worked = Instant::now();
            }
            let (at, due) = self.due(is_idle);
            // One that is about to be closed has its reason.
            let watched = self.ending.is_none().then_some(&mut closing);
            let happened = tokio::select! {
                biased;
                ended = self.operations.ended(watched) => self.ended(ended),
                stalled = &mut stalled => Err(stalled_by(stalled)),
                () = sleep_until(at) => self.passed(due),
                received = reader.next(&wire) => match received {
                    // What handling takes is not held while nothing comes.
                    Ok(received) => Box::pin(self.hear(received)).await,
                    Err(reason) => Err(reason),
                },
            };
            if let Err(reason) = happened {
                return reason;
            }
        }
    }

    /// What is due next, and when.
    fn due(&self, is_idle: bool) -> (Instant, Due) {
        let config = &self.gateway.config;
        let interval = config.stream.heartbeat_interval;
        let last = match &self.ending {
            Some(ending) => (ending.at, Due::Close),
            None => (
                self.times.heard + interval * SILENT_HEARTBEATS,
                Due::Silence,
            ),
        };
        let init = (!self.acknowledged)
            .then(|| (self.times.opened + config.websocket.init_timeout, Due::Init));
        let idle = is_idle.then(|| (self.times.worked + config.websocket.idle_timeout, Due::Idle));
        let ping = together(self.times.pinged + interval, interval);
        let ping = (ping, Due::Ping);
        let all = [Some(last), Some(ping), init, idle];
        let first = all.into_iter().flatten().min_by_key(|(at, _)| *at);
        first.unwrap_or(ping)
    }

    fn passed(&mut self, due: Due) -> Result<(), Close> {
        match due {
            Due::Ping => {
                self.times.pinged = Instant::now();
                self.writer.ping();
                Ok(())
            }
            Due::Init => Err(Close::InitTimeout),
            Due::Idle => Err(Close::Idle),
            Due::Silence => Err(Close::interrupted(ErrorCode::SlowConsumer)),
            Due::Close => {
                let ending = self.ending.take();
                Err(ending.map_or(Close::Gone, |ending| ending.reason))
            }
        }
    }

    fn ended(&mut self, ended: Ended) -> Result<(), Close> {
        match ended {
            Ended::Operation => self.times.worked = Instant::now(),
            Ended::Stream(interruption) => {
                self.times.worked = Instant::now();
                self.interrupted(interruption);
            }
            Ended::Connection(code) => self.end(Close::interrupted(code)),
        }
        Ok(())
    }

    async fn hear(&mut self, received: Message) -> Result<(), Close> {
        self.times.heard = Instant::now();
        match received {
            Message::Text(text) => self.handle(&text).await,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
            Message::Binary(_) => Err(Close::BadMessage(
                "Only text messages are served".to_owned(),
            )),
            Message::Close(_) => Err(Close::Gone),
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
        self.send(&message::ack(cursor.as_deref())).await
    }

    /// A ping is given back as it came. One with a token renews the socket's: its open streams go on until that one ends.
    async fn ping(&mut self, payload: Payload) -> Result<(), Close> {
        let Some(token) = token::find(&payload)?.filter(|_| self.acknowledged) else {
            return self.send(&message::pong(payload)).await;
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
        self.send(&message::pong(Some(said))).await
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
        let (voice, credentials) = (self.writer.clone(), self.credentials.subscribe());
        let started = self.operations.start(&id, max, |slot| {
            let operation = Operation {
                gateway,
                origin,
                credentials,
                voice,
                slot,
                request,
                prepared: None,
            };
            operation.run()
        });
        match started {
            Ok(()) => Ok(()),
            Err(NotStarted::Duplicate) => Err(Close::Duplicate(id)),
            Err(NotStarted::TooMany) => {
                let refused = too_many(max);
                self.in_time(self.writer.error(&id, &refused)).await
            }
        }
    }

    async fn send(&self, message: &Value) -> Result<(), Close> {
        self.in_time(self.writer.message(message)).await
    }

    /// Waits for the client to take what was before, as long as for any of its streams.
    async fn in_time(&self, said: impl Future<Output = Result<(), Gone>>) -> Result<(), Close> {
        let limit = self.gateway.config.stream.slow_client_timeout;
        match timeout(limit, said).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Gone)) => Err(Close::Gone),
            Err(_) => Err(stalled_by(Stalled::TakesNothing)),
        }
    }
}

/// Why a socket that cannot be written to is closed.
fn stalled_by(stalled: Stalled) -> Close {
    match stalled {
        Stalled::Gone => Close::Gone,
        Stalled::TakesNothing => {
            telemetry::slow_client();
            Close::interrupted(ErrorCode::SlowConsumer)
        }
    }
}

/// Whether a fresh token gives the rights that the socket has.
fn is_same_caller(now: Option<&Principal>, fresh: Option<&Principal>) -> bool {
    let rights =
        |principal: &Principal| (principal.user, principal.scopes, principal.service.clone());
    now.map(rights) == fresh.map(rights)
}
