//! Subscriptions over WebSocket: one socket for each set of headers, many operations on it.
//!
//! A task reads and writes its socket; an operation is a channel into it. Invariant: the socket never waits for an
//! operation's reader: one whose reader is too slow is completed and lost, and the others go on.
//! Source: the protocol `graphql-transport-ws`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, SplitSink, SplitStream};
use futures::{SinkExt, StreamExt as _};
use http::{HeaderName, HeaderValue, Request, header};
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use crate::host::Credential;
use crate::subgraph::error::FetchError;
use crate::subgraph::live::protocol::{Asked, Protocol, Responses};

const PROTOCOL: &str = "graphql-transport-ws";
/// Responses of one operation that its reader may be behind.
const BEHIND_MAX: usize = 64;
/// How often a socket is looked after; after so many looks without a sign of the subgraph it is lost, and after so many
/// without an operation it is closed.
const LOOK: Duration = Duration::from_secs(5);
const SILENT_LOOKS: u32 = 6;
const IDLE_LOOKS: u32 = 2;

/// What a socket runs on.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

type Socket = WebSocketStream<Box<dyn Wire>>;
type Headers = Vec<(String, Vec<u8>)>;
/// Where the responses of one operation go; the last is `None`.
type Operation = mpsc::Sender<Result<Option<Bytes>, FetchError>>;

/// The sockets to one subgraph, by what it gets of their callers.
pub(in crate::subgraph) struct Sockets {
    address: Arc<Address>,
    open: Mutex<HashMap<Headers, mpsc::Sender<Command>>>,
}

struct Address {
    url: Url,
    tls: Option<Arc<ClientConfig>>,
    connect_timeout: Duration,
    bytes_max: usize,
    /// What proves this process, asked anew for each socket.
    credential: Option<Arc<dyn Credential>>,
}

/// An operation that is to run on a socket.
struct Command {
    body: Bytes,
    responses: Operation,
    opened: oneshot::Sender<Result<(), FetchError>>,
}

impl Sockets {
    /// Sockets to a `ws` or `wss` URL; `tls` is for the latter.
    pub(in crate::subgraph) fn new(
        url: Url,
        tls: Option<Arc<ClientConfig>>,
        connect_timeout: Duration,
        bytes_max: usize,
        credential: Option<Arc<dyn Credential>>,
    ) -> Self {
        let address = Address {
            url,
            tls,
            connect_timeout,
            bytes_max,
            credential,
        };
        Self {
            address: Arc::new(address),
            open: Mutex::default(),
        }
    }

    fn socket(&self, headers: &Headers) -> mpsc::Sender<Command> {
        let mut open = self.open.lock();
        open.retain(|_, socket| !socket.is_closed());
        if let Some(socket) = open.get(headers) {
            return socket.clone();
        }
        let (commands, received) = mpsc::channel(BEHIND_MAX);
        open.insert(headers.clone(), commands.clone());
        let running = run(self.address.clone(), headers.clone(), received);
        #[expect(
            clippy::disallowed_methods,
            reason = "it ends with its last operation, which shutdown ends"
        )]
        tokio::spawn(running);
        commands
    }
}

impl Protocol for Sockets {
    fn open(&self, asked: Asked) -> BoxFuture<'_, Result<Responses, FetchError>> {
        Box::pin(async move {
            let lost = || FetchError::Lost("the socket ended".to_owned());
            let (responses, received) = mpsc::channel(BEHIND_MAX);
            let (opened, is_open) = oneshot::channel();
            let command = Command {
                body: asked.body,
                responses,
                opened,
            };
            // A socket that ends in this moment is not there for the next try.
            let sent = self.socket(&asked.headers).send(command).await;
            if let Err(mpsc::error::SendError(command)) = sent {
                let sent = self.socket(&asked.headers).send(command).await;
                sent.map_err(|_| lost())?;
            }
            is_open.await.unwrap_or_else(|_| Err(lost()))?;
            Ok(stream::unfold(received, next).boxed())
        })
    }
}

type Received = mpsc::Receiver<Result<Option<Bytes>, FetchError>>;

async fn next(mut received: Received) -> Option<(Result<Bytes, FetchError>, Received)> {
    let response = match received.recv().await {
        Some(response) => response.transpose()?,
        None => Err(FetchError::Lost("its reader was too slow".to_owned())),
    };
    Some((response, received))
}

/// Runs one socket to its end, and tells every operation of it.
async fn run(address: Arc<Address>, headers: Headers, mut commands: mpsc::Receiver<Command>) {
    let mut operations = HashMap::new();
    let limit = address.connect_timeout * 2;
    let connected = timeout(limit, connect(&address, &headers)).await;
    let ended = match connected.unwrap_or(Err(FetchError::Timeout(limit))) {
        Ok(socket) => {
            let (sink, received) = socket.split();
            let mut session = Session {
                sink,
                operations: &mut operations,
                last_id: 0,
            };
            session.serve(received, &mut commands).await
        }
        Err(error) => Err(error),
    };
    commands.close();
    let error = match ended {
        Ok(()) => FetchError::Lost("the socket was closed".to_owned()),
        Err(error) => error,
    };
    while let Some(command) = commands.recv().await {
        drop(command.opened.send(Err(error.clone())));
    }
    for responses in operations.into_values() {
        drop(responses.try_send(Err(error.clone())));
    }
}

async fn connect(address: &Address, headers: &Headers) -> Result<Socket, FetchError> {
    let refused = |error: &dyn std::fmt::Display| FetchError::Connect(error.to_string());
    let url = &address.url;
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(refused(&"no host"));
    };
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let tcp = TcpStream::connect((name, port)).await;
    let tcp = tcp.map_err(|error| refused(&error))?;
    let wire: Box<dyn Wire> = match &address.tls {
        None => Box::new(tcp),
        Some(tls) => {
            let name = ServerName::try_from(name.to_owned()).map_err(|error| refused(&error))?;
            let encrypted = TlsConnector::from(tls.clone()).connect(name, tcp).await;
            Box::new(encrypted.map_err(|error| refused(&error))?)
        }
    };
    let mut request = handshake(url, headers).map_err(|error| refused(&error))?;
    if let Some(credential) = &address.credential {
        let (name, value) = credential.header();
        request.headers_mut().insert(name, value);
    }
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(address.bytes_max);
    config.max_frame_size = Some(address.bytes_max);
    let made = client_async_with_config(request, wire, Some(config)).await;
    let (mut socket, _) = made.map_err(|error| refused(&error))?;
    // Servers in a browser's world read credentials here, where a browser can put them.
    let texts = headers.iter().filter_map(|(name, value)| {
        Some((name.clone(), Value::from(std::str::from_utf8(value).ok()?)))
    });
    let payload: Map<String, Value> = texts.collect();
    send(
        &mut socket,
        &json!({ "type": "connection_init", "payload": payload }),
    )
    .await?;
    while let Some(message) = socket.next().await {
        let message = message.map_err(|error| refused(&error))?;
        let Message::Text(text) = message else {
            continue;
        };
        match serde_json::from_str::<Incoming<'_>>(&text) {
            Ok(message) if message.kind == "connection_ack" => return Ok(socket),
            Ok(message) if message.kind == "ping" => {
                send(&mut socket, &json!({ "type": "pong" })).await?;
            }
            _ => break,
        }
    }
    Err(FetchError::Response(
        "the subgraph does not acknowledge the connection".to_owned(),
    ))
}

fn handshake(url: &Url, headers: &Headers) -> Result<Request<()>, tungstenite::Error> {
    let mut request = url.as_str().into_client_request()?;
    let given = request.headers_mut();
    given.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(PROTOCOL),
    );
    for (name, value) in headers {
        let name = HeaderName::try_from(name).map_err(http::Error::from)?;
        let value = HeaderValue::from_bytes(value).map_err(http::Error::from)?;
        given.append(name, value);
    }
    Ok(request)
}

async fn send<S>(socket: &mut S, message: &Value) -> Result<(), FetchError>
where
    S: SinkExt<Message, Error = tungstenite::Error> + Unpin,
{
    let text = Message::text(message.to_string());
    let sent = socket.send(text).await;
    sent.map_err(|error| FetchError::Lost(error.to_string()))
}

#[derive(Deserialize)]
struct Incoming<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// A socket that is acknowledged.
struct Session<'a> {
    sink: SplitSink<Socket, Message>,
    operations: &'a mut HashMap<u64, Operation>,
    last_id: u64,
}

impl Session<'_> {
    /// Serves until nobody needs the socket, or it is lost.
    async fn serve(
        &mut self,
        mut received: SplitStream<Socket>,
        commands: &mut mpsc::Receiver<Command>,
    ) -> Result<(), FetchError> {
        let mut looks = interval(LOOK);
        let mut heard_at = Instant::now();
        let mut idle_looks = 0;
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.subscribe(command).await?,
                    None => return self.close().await,
                },
                message = received.next() => {
                    heard_at = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => self.take(&text).await?,
                        Some(Ok(Message::Close(_))) | None => {
                            return Err(FetchError::Lost("the subgraph closed the socket".to_owned()));
                        }
                        Some(Ok(_)) => {}
                        Some(Err(error)) => return Err(FetchError::Lost(error.to_string())),
                    }
                }
                _ = looks.tick() => {
                    if heard_at.elapsed() > LOOK * SILENT_LOOKS {
                        return Err(FetchError::Lost("the subgraph is silent".to_owned()));
                    }
                    self.complete_those_left().await?;
                    idle_looks = if self.operations.is_empty() { idle_looks + 1 } else { 0 };
                    if idle_looks > IDLE_LOOKS {
                        return self.close().await;
                    }
                    send(&mut self.sink, &json!({ "type": "ping" })).await?;
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), FetchError> {
        let closed = self.sink.close().await;
        closed.map_err(|error| FetchError::Lost(error.to_string()))
    }

    async fn subscribe(&mut self, command: Command) -> Result<(), FetchError> {
        let Command {
            body,
            responses,
            opened,
        } = command;
        self.last_id += 1;
        let body = String::from_utf8_lossy(&body);
        let message = format!(
            r#"{{"type":"subscribe","id":"{}","payload":{body}}}"#,
            self.last_id
        );
        let sent = self.sink.send(Message::text(message)).await;
        let sent = sent.map_err(|error| FetchError::Lost(error.to_string()));
        // Whoever asked may have left.
        drop(opened.send(sent.clone()));
        self.operations.insert(self.last_id, responses);
        sent
    }

    async fn take(&mut self, text: &str) -> Result<(), FetchError> {
        let Ok(message) = serde_json::from_str::<Incoming<'_>>(text) else {
            return Err(FetchError::Response("a message that is none".to_owned()));
        };
        let id = message.id.and_then(|id| id.parse::<u64>().ok());
        let payload = message.payload.map(RawValue::get).unwrap_or_default();
        match &*message.kind {
            "ping" => send(&mut self.sink, &json!({ "type": "pong" })).await?,
            "next" => {
                let Some(id) = id else { return Ok(()) };
                let response = Bytes::copy_from_slice(payload.as_bytes());
                let operation = self.operations.get(&id);
                let is_taken = operation.is_none_or(|it| it.try_send(Ok(Some(response))).is_ok());
                if !is_taken {
                    self.complete(id).await?;
                }
            }
            "error" => {
                if let Some(operation) = id.and_then(|id| self.operations.remove(&id)) {
                    let refusal = format!(r#"{{"errors":{payload}}}"#);
                    drop(operation.try_send(Ok(Some(refusal.into()))));
                    drop(operation.try_send(Ok(None)));
                }
            }
            "complete" => {
                if let Some(operation) = id.and_then(|id| self.operations.remove(&id)) {
                    drop(operation.try_send(Ok(None)));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends operations that nobody reads any more.
    async fn complete_those_left(&mut self) -> Result<(), FetchError> {
        let left = self.operations.iter().filter(|(_, it)| it.is_closed());
        for id in left.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.complete(id).await?;
        }
        Ok(())
    }

    async fn complete(&mut self, id: u64) -> Result<(), FetchError> {
        self.operations.remove(&id);
        let message = json!({ "type": "complete", "id": id.to_string() });
        send(&mut self.sink, &message).await
    }
}
