//! One socket: its handshake, its operations, and why it is closed.
//!
//! Reading and writing run side by side; every message to the client goes through one bounded channel, so operations
//! wait while the client does not read. Invariant: the close frame is the last thing sent, behind all messages of
//! operations that ended.

use std::{pin::pin, sync::Arc};

use axum::extract::ws::{Message, WebSocket};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream::SplitStream};
use schema::code::ErrorCode;
use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

use super::{
    message::{self, Close, Incoming, PROTOCOL},
    operation::{self, Operation},
    operations::{NotStarted, Operations},
    writer::{self, CLOSE_TIMEOUT},
};
use crate::{
    error::RequestError,
    serve::{gateway::Gateway, origin::Origin},
};

/// Messages that may wait for the socket.
const OUTGOING: usize = 8;
/// Heartbeats without any sign of the client before it counts as gone.
const SILENT_HEARTBEATS: u32 = 3;

struct Session {
    gateway: Arc<Gateway>,
    origin: Origin,
    out: mpsc::Sender<Message>,
    acknowledged: bool,
    operations: Operations,
}

/// Serves a socket until either side closes it.
pub(super) async fn serve(gateway: Arc<Gateway>, socket: WebSocket, origin: Origin) {
    let offered = socket
        .protocol()
        .is_some_and(|protocol| protocol == PROTOCOL);
    let (sink, stream) = socket.split();
    if !offered {
        return writer::close(sink, &Close::Subprotocol).await;
    }
    let (out, outgoing) = mpsc::channel(OUTGOING);
    let config = &gateway.config.stream;
    let mut writing = pin!(writer::write(
        sink,
        outgoing,
        config.heartbeat_interval,
        config.slow_client_timeout,
    ));
    let session = Session {
        gateway,
        origin,
        out,
        acknowledged: false,
        operations: Operations::default(),
    };
    tokio::select! {
        reason = session.run(stream) => {
            // The session is gone and with it every sender: the writer sends what waits and gives the sink back.
            if let Ok((sink, _)) = timeout(CLOSE_TIMEOUT, &mut writing).await {
                writer::close(sink, &reason).await;
            }
        }
        (sink, reason) = &mut writing => writer::close(sink, &reason).await,
    }
}

impl Session {
    async fn run(mut self, mut stream: SplitStream<WebSocket>) -> Close {
        let init_by = Instant::now() + self.gateway.config.websocket.init_timeout;
        let silence = self.gateway.config.stream.heartbeat_interval * SILENT_HEARTBEATS;
        let gateway = Arc::clone(&self.gateway);
        let idle_limit = self.gateway.config.websocket.idle_timeout;
        let mut heard_at = Instant::now();
        let mut worked_at = Instant::now();
        // Set when the socket must end; operations get some time for their last message.
        let mut ending: Option<(Close, Instant)> = None;
        loop {
            if let Some((reason, _)) = ending.as_ref().filter(|_| self.operations.is_empty()) {
                return reason.clone();
            }
            let principal = self.origin.caller.principal.as_ref();
            let expires_at = principal.map(|principal| principal.expires_at);
            let until = ending.as_ref().map_or(heard_at + silence, |(_, at)| *at);
            let is_idle = self.operations.is_empty();
            if !is_idle {
                worked_at = Instant::now();
            }
            tokio::select! {
                biased;
                true = self.operations.one_ended() => worked_at = Instant::now(),
                () = gateway.drain.begun(), if ending.is_none() => {
                    let limit = self.gateway.config.http.drain_timeout;
                    ending = Some((Close::Restart, Instant::now() + limit));
                }
                () = token_ended(&gateway, expires_at), if ending.is_none() => {
                    let reason = Close::Forbidden("TOKEN_EXPIRED: resume with a new token");
                    ending = Some((reason, Instant::now() + CLOSE_TIMEOUT));
                }
                () = sleep_until(worked_at + idle_limit), if is_idle => return Close::Idle,
                () = sleep_until(init_by), if !self.acknowledged => return Close::InitTimeout,
                () = sleep_until(until) => {
                    return ending.map_or(Close::Gone, |(reason, _)| reason);
                }
                received = stream.next() => {
                    heard_at = Instant::now();
                    let handled = match received {
                        Some(Ok(Message::Text(text))) => self.handle(&text, ending.is_some()).await,
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

    async fn handle(&mut self, text: &str, ending: bool) -> Result<(), Close> {
        match message::read(text)? {
            Incoming::ConnectionInit { payload } => self.init(&payload).await,
            Incoming::Ping { payload } => self.send(message::pong(payload)).await,
            Incoming::Pong => Ok(()),
            Incoming::Subscribe { id, payload } => self.subscribe(id, payload, ending).await,
            Incoming::Complete { id } => {
                self.operations.stop(&id);
                Ok(())
            }
        }
    }

    async fn init(&mut self, payload: &Value) -> Result<(), Close> {
        if self.acknowledged {
            return Err(Close::TooManyInits);
        }
        if let Some(token) = token(payload) {
            let caller = self.gateway.callers.of_token(token);
            self.origin.caller = caller.map_err(|_| Close::Forbidden("Forbidden"))?;
        }
        self.acknowledged = true;
        self.send(message::ack()).await
    }

    async fn subscribe(&mut self, id: String, payload: Value, ending: bool) -> Result<(), Close> {
        if !self.acknowledged {
            return Err(Close::Unauthorized);
        }
        if id.is_empty() || id.len() > 255 {
            return Err(Close::BadMessage(
                "The id must have 1 to 255 characters".to_owned(),
            ));
        }
        if ending {
            let draining = RequestError::masked(ErrorCode::ServerDraining);
            return self.send(message::error(&id, &draining)).await;
        }
        let max = self.gateway.config.websocket.operations_max;
        let (gateway, origin) = (Arc::clone(&self.gateway), self.origin.clone());
        let out = self.out.clone();
        let started = self.operations.start(&id, max, |slot| {
            let operation = Operation {
                gateway,
                origin,
                out,
                slot,
                payload,
            };
            operation.run()
        });
        match started {
            Ok(()) => Ok(()),
            Err(NotStarted::Duplicate) => Err(Close::Duplicate(id)),
            Err(NotStarted::TooMany) => {
                self.send(message::error(&id, &operation::too_many(max)))
                    .await
            }
        }
    }

    async fn send(&self, message: Message) -> Result<(), Close> {
        self.out.send(message).await.map_err(|_| Close::Gone)
    }
}

/// Looks at the clock by the streams' own rule, so that socket and streams agree.
async fn token_ended(gateway: &Gateway, expires_at: Option<DateTime<Utc>>) {
    match expires_at {
        Some(expires_at) => gateway.hub.token_ended(expires_at).await,
        None => std::future::pending().await,
    }
}

/// The token in the payload of `connection_init`, as clients variously put it.
fn token(payload: &Value) -> Option<&str> {
    let pointers = [
        "/authorization",
        "/Authorization",
        "/headers/authorization",
        "/headers/Authorization",
    ];
    let value = pointers
        .iter()
        .find_map(|pointer| payload.pointer(pointer)?.as_str())?;
    let (scheme, token) = value.split_once(' ').unwrap_or(("bearer", value));
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(token.trim());
    }
    // Another scheme is checked as it stands, and refused.
    Some(value)
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
