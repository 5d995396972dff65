//! One socket: its handshake, its operations, and why it is closed.
//!
//! Reading and writing run side by side; every message to the client goes through one bounded channel, so operations
//! wait while the client does not read. Invariant: the close frame is the last thing sent, behind all messages of
//! operations that ended.

use std::{collections::HashMap, pin::pin, sync::Arc, time::Duration};

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use parking_lot::Mutex;
use schema::code::ErrorCode;
use serde_json::Value;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout},
};

use super::{
    message::{self, Close, Incoming, PROTOCOL},
    operate::{self, Operation},
};
use crate::{
    error::RequestError,
    serve::{Gateway, auth, operation::Origin, telemetry},
};

/// Messages that may wait for the socket.
const OUTGOING: usize = 8;
/// How long the close frame may take, and how long operations may take to say their last word before it.
const FAREWELL: Duration = Duration::from_secs(2);
/// Heartbeats without any sign of the client before it counts as gone.
const SILENT_HEARTBEATS: u32 = 3;

type Sink = SplitSink<WebSocket, Message>;

/// The operations of a socket by id; the number tells two operations with the same id apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<String, (u64, AbortHandle)>>>);

struct Session {
    gateway: Arc<Gateway>,
    origin: Origin,
    out: mpsc::Sender<Message>,
    acknowledged: bool,
    running: Running,
    operations: JoinSet<()>,
    sequence: u64,
}

/// Serves a socket until either side closes it.
pub(super) async fn serve(gateway: Arc<Gateway>, socket: WebSocket, origin: Origin) {
    let offered = socket
        .protocol()
        .is_some_and(|protocol| protocol == PROTOCOL);
    let (sink, stream) = socket.split();
    if !offered {
        return close(sink, &Close::Subprotocol).await;
    }
    let slow = gateway.config.stream.slow_client_timeout;
    let heartbeat = gateway.config.stream.heartbeat_interval;
    let (out, outgoing) = mpsc::channel(OUTGOING);
    let mut writing = pin!(write(sink, outgoing, heartbeat, slow));
    let session = Session {
        gateway,
        origin,
        out,
        acknowledged: false,
        running: Running::default(),
        operations: JoinSet::new(),
        sequence: 0,
    };
    tokio::select! {
        reason = session.run(stream) => {
            // The session is gone and with it every sender: the writer sends what waits and gives the sink back.
            if let Ok((sink, _)) = timeout(FAREWELL, &mut writing).await {
                close(sink, &reason).await;
            }
        }
        (sink, reason) = &mut writing => close(sink, &reason).await,
    }
}

impl Session {
    async fn run(mut self, mut stream: SplitStream<WebSocket>) -> Close {
        let init_by = Instant::now() + self.gateway.config.websocket.init_timeout;
        let silence = self.gateway.config.stream.heartbeat_interval * SILENT_HEARTBEATS;
        let gateway = Arc::clone(&self.gateway);
        let mut heard_at = Instant::now();
        // Set when the socket must end; operations get a moment for their last message.
        let mut ending: Option<(Close, Instant)> = None;
        loop {
            if let Some((reason, _)) = ending.as_ref().filter(|_| self.operations.is_empty()) {
                return reason.clone();
            }
            let expires_at = self
                .origin
                .caller
                .principal
                .as_ref()
                .map(|caller| caller.expires_at);
            let until = ending.as_ref().map_or(heard_at + silence, |(_, at)| *at);
            tokio::select! {
                biased;
                Some(_) = self.operations.join_next() => {}
                () = gateway.drain.begun(), if ending.is_none() => {
                    let limit = self.gateway.config.http.drain_timeout;
                    ending = Some((Close::Restart, Instant::now() + limit));
                }
                () = expired(&gateway, expires_at), if ending.is_none() => {
                    let reason = Close::Forbidden("TOKEN_EXPIRED: resume with a new token");
                    ending = Some((reason, Instant::now() + FAREWELL));
                }
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
                self.running.stop(&id);
                Ok(())
            }
        }
    }

    async fn init(&mut self, payload: &Value) -> Result<(), Close> {
        if self.acknowledged {
            return Err(Close::TooManyInits);
        }
        if let Some(token) = token(payload) {
            let caller = auth::from_token(&self.gateway.verifier, token);
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
        self.sequence += 1;
        let operation = Operation {
            gateway: Arc::clone(&self.gateway),
            out: self.out.clone(),
            id: id.clone(),
            payload,
            origin: self.origin.clone(),
            running: self.running.clone(),
            sequence: self.sequence,
        };
        if self.running.start(&mut self.operations, operation, max)? {
            return Ok(());
        }
        self.send(message::error(&id, &operate::too_many(max)))
            .await
    }

    async fn send(&self, message: Message) -> Result<(), Close> {
        self.out.send(message).await.map_err(|_| Close::Gone)
    }
}

impl Running {
    /// Starts an operation, unless the socket runs as many as it may.
    fn start(
        &self,
        operations: &mut JoinSet<()>,
        operation: Operation,
        max: usize,
    ) -> Result<bool, Close> {
        let mut running = self.0.lock();
        if running.contains_key(&operation.id) {
            return Err(Close::Duplicate(operation.id));
        }
        if running.len() >= max {
            return Ok(false);
        }
        let (id, sequence) = (operation.id.clone(), operation.sequence);
        let handle = operations.spawn(operation.run());
        running.insert(id, (sequence, handle));
        Ok(true)
    }

    /// Frees the id of an operation that ended by itself.
    pub(super) fn finish(&self, id: &str, sequence: u64) {
        let mut running = self.0.lock();
        if running
            .get(id)
            .is_some_and(|(running, _)| *running == sequence)
        {
            running.remove(id);
        }
    }

    /// Stops what the client no longer wants; a mutation runs on without it.
    fn stop(&self, id: &str) {
        if let Some((_, handle)) = self.0.lock().remove(id) {
            handle.abort();
        }
    }
}

/// Looks at the clock through the streams' own rule, so that socket and streams agree.
async fn expired(gateway: &Gateway, expires_at: Option<DateTime<Utc>>) {
    match expires_at {
        Some(expires_at) => gateway.hub.expired(expires_at).await,
        None => std::future::pending().await,
    }
}

/// The token in the payload of `connection_init`, as clients variously put it.
fn token(payload: &Value) -> Option<&str> {
    let places = [
        "/authorization",
        "/Authorization",
        "/headers/authorization",
        "/headers/Authorization",
    ];
    let value = places
        .iter()
        .find_map(|place| payload.pointer(place)?.as_str())?;
    let (scheme, token) = value.split_once(' ').unwrap_or(("bearer", value));
    // Another scheme is checked as it stands, and refused.
    Some(if scheme.eq_ignore_ascii_case("bearer") {
        token.trim()
    } else {
        value
    })
}

/// A message over the limit is the client's fault; whatever else breaks the socket leaves nobody to tell.
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

/// Sends messages in their order, and a ping every interval: its pong shows that the client still reads. Ends when every
/// sender is gone, or when the client takes nothing for too long.
async fn write(
    mut sink: Sink,
    mut outgoing: mpsc::Receiver<Message>,
    heartbeat: Duration,
    slow: Duration,
) -> (Sink, Close) {
    let mut heartbeats = interval_at(Instant::now() + heartbeat, heartbeat);
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            message = outgoing.recv() => match message {
                Some(message) => message,
                None => return (sink, Close::Gone),
            },
            _ = heartbeats.tick() => Message::Ping(Bytes::new()),
        };
        match timeout(slow, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return (sink, Close::Gone),
            Err(_) => {
                telemetry::slow_client();
                return (sink, Close::SlowConsumer);
            }
        }
    }
}

async fn close(mut sink: Sink, reason: &Close) {
    let farewell = async {
        if let Some(frame) = reason.frame() {
            sink.send(Message::Close(Some(frame))).await?;
        }
        sink.close().await
    };
    match timeout(FAREWELL, farewell).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, ?reason, "socket broke while closing"),
        Err(_) => tracing::debug!(?reason, "client took no close frame"),
    }
}
