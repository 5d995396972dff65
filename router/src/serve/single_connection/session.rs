//! One open stream: runs what it is told to, and ends as every stream does.

use std::{sync::Arc, time::Duration};

use federation::{GraphRequest, Prepared, RequestContext};
use schema::code::ErrorCode;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, MissedTickBehavior},
};

use crate::{
    error::RequestError,
    serve::{
        delivery::{self, Encoding as _, Piece, Sse},
        gateway::Gateway,
        multiplex::{Ended, Gone, NotStarted, Operation, Operations, Voice},
        origin::Origin,
        telemetry,
    },
    stream::Credentials,
};

/// Events that may wait for the connection.
const OUTGOING: usize = 8;

/// What a session is told to do.
#[derive(Debug)]
pub(super) enum Command {
    Start {
        id: String,
        request: Box<GraphRequest>,
        prepared: Box<Prepared>,
        origin: Box<Origin>,
        reply: oneshot::Sender<Started>,
    },
    Stop {
        id: String,
    },
    /// The caller has opened the stream, perhaps with a newer token than it was begun with.
    Renew {
        origin: Box<Origin>,
    },
}

/// Whether an operation was started.
#[derive(Debug)]
pub(super) enum Started {
    Runs,
    Duplicate,
    /// The connection runs as many as it may.
    TooMany(usize),
}

pub(super) struct Session {
    gateway: Arc<Gateway>,
    credentials: watch::Sender<RequestContext>,
    out: mpsc::Sender<Piece>,
    operations: Operations,
}

impl Session {
    /// A session for the caller, and what is to be written for it.
    pub(super) fn new(gateway: Arc<Gateway>, origin: Origin) -> (Self, mpsc::Receiver<Piece>) {
        let (out, body) = mpsc::channel(OUTGOING);
        let session = Self {
            credentials: watch::Sender::new(gateway.context(origin)),
            gateway,
            out,
            operations: Operations::default(),
        };
        (session, body)
    }

    /// Runs until the client leaves, or the stream must stop.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let tracked = self.gateway.drain.track();
        let config = self.gateway.config.stream.clone();
        let opening = Sse.opening_of_a_stream("", delivery::pause(None));
        if self.out.send(Piece::of(opening)).await.is_err() {
            return;
        }
        let credentials = Credentials::renewable(self.credentials.subscribe());
        let mut closing = self.gateway.hub.closing(credentials);
        let mut heartbeats = tokio::time::interval(config.heartbeat_interval);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look = tokio::time::interval((config.slow_client_timeout / 4).max(LEAST_LOOK));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut taking_at = Instant::now();
        let out = self.out.clone();
        let code = loop {
            tokio::select! {
                biased;
                // The first stream that stops takes the connection with it.
                ended = self.operations.ended(Some(&mut closing)) => match ended {
                    Ended::Operation => {}
                    Ended::Stream(interruption) => break interruption.error.code(),
                    Ended::Connection(code) => break code,
                },
                () = out.closed() => return,
                Some(command) = commands.recv() => self.obey(command),
                _ = heartbeats.tick() => {
                    // When the channel is full, what is in it is as good as a heartbeat.
                    drop(out.try_send(Piece::of(Sse.heartbeat(None))));
                }
                _ = look.tick() => {
                    if out.capacity() > 0 {
                        taking_at = Instant::now();
                    } else if taking_at.elapsed() >= config.slow_client_timeout {
                        telemetry::slow_client();
                        break ErrorCode::SlowConsumer;
                    }
                }
            }
        };
        self.operations.stop_streams();
        let words = Sse.break_off(code, delivery::pause(None));
        let last = [Piece::of(words), Piece::Break];
        for piece in last {
            if !matches!(
                tokio::time::timeout(FAREWELL, out.send(piece)).await,
                Ok(Ok(()))
            ) {
                return;
            }
        }
        drop(tracked);
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Stop { id } => self.operations.stop(&id),
            Command::Renew { origin } => self.renew(*origin),
            Command::Start {
                id,
                request,
                prepared,
                origin,
                reply,
            } => {
                let started = self.start(&id, *request, prepared, *origin);
                // Whoever asked may have left; its operation goes on.
                let _is_heard = reply.send(started).is_ok();
            }
        }
    }

    fn renew(&self, origin: Origin) {
        self.credentials.send_replace(self.gateway.context(origin));
    }

    fn start(
        &mut self,
        id: &str,
        request: GraphRequest,
        prepared: Box<Prepared>,
        origin: Origin,
    ) -> Started {
        // The newest token is that of the newest operation: all are of one caller.
        self.renew(origin.clone());
        let max = self.gateway.config.websocket.operations_max;
        let gateway = Arc::clone(&self.gateway);
        let (voice, credentials) = (self.out.clone(), self.credentials.subscribe());
        let started = self.operations.start(id, max, |slot| {
            let operation = Operation {
                gateway,
                origin,
                credentials,
                voice,
                slot,
                request,
                prepared: Some(prepared),
            };
            operation.run()
        });
        match started {
            Ok(()) => Started::Runs,
            Err(NotStarted::Duplicate) => Started::Duplicate,
            Err(NotStarted::TooMany) => Started::TooMany(max),
        }
    }
}

/// How often at most it is looked whether the client takes anything.
const LEAST_LOOK: Duration = Duration::from_millis(50);
/// How long the last words may wait for room.
const FAREWELL: Duration = Duration::from_secs(1);

impl Voice for mpsc::Sender<Piece> {
    const SPAN: &'static str = "event stream operation";

    async fn next(&self, id: &str, body: &[u8]) -> Result<(), Gone> {
        let body = String::from_utf8_lossy(body);
        let text = format!(r#"{{"id":{},"payload":{body}}}"#, Value::from(id));
        say(self, Sse::event("next", text.as_bytes())).await
    }

    /// The protocol has no event for it.
    async fn error(&self, id: &str, error: &RequestError) -> Result<(), Gone> {
        error.count();
        let next = json!({ "id": id, "payload": { "errors": error.to_json() } }).to_string();
        let complete = json!({ "id": id }).to_string();
        let mut events = Sse::event("next", next.as_bytes());
        events.extend(Sse::event("complete", complete.as_bytes()));
        say(self, events).await
    }

    async fn complete(&self, id: &str) -> Result<(), Gone> {
        let text = json!({ "id": id }).to_string();
        say(self, Sse::event("complete", text.as_bytes())).await
    }

    /// An event's id is that of the connection, which has several streams.
    fn place(&self, _id: &str, _cursor: &str) {}
}

async fn say(out: &mpsc::Sender<Piece>, event: Vec<u8>) -> Result<(), Gone> {
    out.send(Piece::of(event)).await.map_err(|_| Gone)
}
