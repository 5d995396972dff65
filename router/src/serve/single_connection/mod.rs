//! Server-sent events over one connection for many operations, at `/graphql/stream`.
//!
//! ```text
//! PUT     reserves a stream: 201, its token as text
//! GET     opens the event stream of a token
//! POST    starts an operation, `extensions.operationId` is its name: 202, what comes of it comes over the stream; a GET with
//!         a query starts one, too
//! DELETE  stops the operation `?operationId=`
//! ```
//!
//! The token is in the header `x-graphql-event-stream-token`, or for GET in the query as `token`; beside it each request says
//! who calls. A browser keeps six connections of HTTP/1.1 to a server, and here one is enough for all streams.
//! An operation that is refused by its form, such as one that is not valid, is refused to the request; one that was accepted
//! may still be refused over the stream. Operations may come before the stream is opened.
//! Invariant: a stream of somebody else looks like none.
//! Source: graphql-sse PROTOCOL.md, single connection mode.

mod held;
mod session;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing,
};
use federation::{GraphRequest, OperationKind};
use schema::code::ErrorCode;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use self::{
    held::{Held, Owner, RESERVED_FOR, Running},
    session::{Command, Session, Started},
};
use super::{
    csrf, delivery,
    gateway::Gateway,
    multiplex::{ID_MAX, too_many},
    negotiate::{self, Media},
    origin::Origin,
    refusal::refusal,
    request,
};
use crate::error::RequestError;

/// Names a reserved stream.
pub(super) const STREAM_TOKEN: HeaderName = HeaderName::from_static("x-graphql-event-stream-token");

/// What an event stream is, by its media type.
const EVENT_STREAM: &str = "text/event-stream";
/// Commands that may wait for a stream's session.
const COMMANDS: usize = 8;

struct Streams {
    gateway: Arc<Gateway>,
    held: Held,
}

/// The route of all four requests.
pub(super) fn routes(gateway: Arc<Gateway>) -> Router {
    let max = gateway.config.stream.total_max;
    let streams = Arc::new(Streams {
        gateway,
        held: Held::new(max),
    });
    let stream = routing::put(reserve).get(get).post(post).delete(stop);
    Router::new()
        .route("/graphql/stream", stream)
        .with_state(streams)
}

type OfClient = State<Arc<Streams>>;

async fn reserve(State(streams): OfClient, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let reserved = streams.caller(&parts).and_then(|origin| {
        require(&parts, &["text/plain", "text/*", "*/*"])?;
        let owner = Owner::of(&origin);
        if token(&parts).is_some_and(|token| streams.held.has(&token, &owner)) {
            return Ok(conflict("this stream is reserved already"));
        }
        let token = streams.held.reserve(owner)?;
        Ok((StatusCode::CREATED, token).into_response())
    });
    answer(reserved)
}

async fn get(State(streams): OfClient, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let is_operation = query(&parts, "query").is_some() && !names(&parts, &[EVENT_STREAM]);
    answer(if is_operation {
        start(&streams, &parts, async || {
            request::from_query(parts.uri.query().unwrap_or_default())
        })
        .await
    } else {
        open(&streams, &parts).await
    })
}

async fn open(streams: &Arc<Streams>, parts: &Parts) -> Result<Response, RequestError> {
    let origin = streams.caller(parts)?;
    require(parts, &[EVENT_STREAM, "text/*", "*/*"])?;
    let name = token(parts).ok_or_else(no_stream)?;
    let begin = || streams.begin(name.clone(), origin.clone());
    let (commands, body) = streams.held.open(&name, &Owner::of(&origin), begin)?;
    let Some(body) = body else {
        return Ok(conflict("this stream is open already"));
    };
    let cursor = origin.caller.principal.as_ref();
    let cursor = cursor.and_then(|_| streams.gateway.hub.cursor_of_now());
    let renew = Command::Renew {
        origin: Box::new(origin),
    };
    commands.send(renew).await.map_err(|_| no_stream())?;
    Ok(delivery::event_stream(
        &streams.gateway,
        body,
        cursor.as_deref(),
    ))
}

async fn post(State(streams): OfClient, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let read = async || {
        negotiate::require_json(&parts.headers)?;
        let http = &streams.gateway.config.http;
        let body = request::read_body(http, &parts.headers, body).await?;
        request::from_body(&body)
    };
    answer(start(&streams, &parts, read).await)
}

async fn start(
    streams: &Arc<Streams>,
    parts: &Parts,
    read: impl AsyncFnOnce() -> Result<GraphRequest, RequestError>,
) -> Result<Response, RequestError> {
    let origin = streams.caller(parts)?;
    let commands = streams.commands(parts, &origin)?;
    let request = read().await?;
    let id = request.extensions.get("operationId");
    let id = id.and_then(Value::as_str).map(str::to_owned);
    let id = id
        .filter(|id| (1..=ID_MAX).contains(&id.len()))
        .ok_or_else(|| {
            bad(format!(
                "extensions.operationId must be a text of 1 to {ID_MAX} bytes"
            ))
        })?;
    let key = origin.rate_limit_key();
    let prepared = streams.gateway.prepare(&request, key).await?;
    if prepared.kind() == OperationKind::Mutation && parts.method != Method::POST {
        let message = "a mutation needs POST";
        return Err(RequestError::new(ErrorCode::MethodNotAllowed, message));
    }
    let (reply, started) = oneshot::channel();
    let command = Command::Start {
        id,
        request: Box::new(request),
        prepared: Box::new(prepared),
        origin: Box::new(origin),
        reply,
    };
    commands.send(command).await.map_err(|_| no_stream())?;
    match started.await.map_err(|_| no_stream())? {
        Started::Runs => Ok(StatusCode::ACCEPTED.into_response()),
        Started::Duplicate => Ok(conflict("this operationId belongs to a running operation")),
        Started::TooMany(max) => Err(too_many(max)),
    }
}

async fn stop(State(streams): OfClient, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let stopped = async {
        let origin = streams.caller(&parts)?;
        let commands = streams.commands(&parts, &origin)?;
        let id = query(&parts, "operationId").ok_or_else(|| bad("operationId is missing"))?;
        commands
            .send(Command::Stop { id })
            .await
            .map_err(|_| no_stream())?;
        Ok(StatusCode::OK.into_response())
    };
    answer(stopped.await)
}

impl Streams {
    fn caller(&self, parts: &Parts) -> Result<Origin, RequestError> {
        csrf::refuse_foreign_pages(&parts.method, &parts.headers, &self.gateway.origins)?;
        if self.gateway.drain.has_begun() {
            return Err(RequestError::masked(ErrorCode::ServerDraining));
        }
        self.gateway.origin(parts)
    }

    fn commands(
        self: &Arc<Self>,
        parts: &Parts,
        origin: &Origin,
    ) -> Result<mpsc::Sender<Command>, RequestError> {
        let name = token(parts).ok_or_else(no_stream)?;
        let begin = || self.begin(name.clone(), origin.clone());
        self.held.commands(&name, &Owner::of(origin), begin)
    }

    /// Begins the session of a stream, which ends when nobody opens it in time.
    fn begin(self: &Arc<Self>, name: String, origin: Origin) -> Running {
        let (commands, received) = mpsc::channel(COMMANDS);
        let (session, body) = Session::new(Arc::clone(&self.gateway), origin);
        let streams = Arc::clone(self);
        let running = async move {
            let unopened = async {
                tokio::time::sleep(RESERVED_FOR).await;
                if !streams.held.waits(&name) {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = session.run(received) => {}
                () = unopened => {}
            }
            streams.held.forget(&name);
        };
        let _task = self.gateway.tasks.spawn("single connection", running);
        Running {
            commands,
            body: Some(body),
        }
    }
}

fn token(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(STREAM_TOKEN);
    let header = header.and_then(|value| value.to_str().ok());
    header.map(str::to_owned).or_else(|| query(parts, "token"))
}

fn query(parts: &Parts, name: &str) -> Option<String> {
    let query = parts.uri.query().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, value) = pairs.find(|(key, _)| key == name)?;
    Some(value.into_owned())
}

fn no_stream() -> RequestError {
    RequestError::new(
        ErrorCode::NotFound,
        "no such stream: reserve one by PUT, then open it by GET",
    )
}

/// Refuses a client that accepts none of these.
fn require(parts: &Parts, media: &[&str]) -> Result<(), RequestError> {
    if !parts.headers.contains_key(header::ACCEPT) || names(parts, media) {
        return Ok(());
    }
    Err(RequestError::masked(ErrorCode::NotAcceptable))
}

/// Whether `accept` names one of these.
fn names(parts: &Parts, media: &[&str]) -> bool {
    let accepts = parts.headers.get_all(header::ACCEPT).into_iter();
    let ranges = accepts.flat_map(|it| it.to_str().unwrap_or_default().split(','));
    let essences = ranges.map(|range| range.split(';').next().unwrap_or_default().trim());
    let is_one = |essence: &str| media.iter().any(|it| it.eq_ignore_ascii_case(essence));
    essences.into_iter().any(is_one)
}

/// The protocol's status for what is there already; the table of codes has none for it.
fn conflict(message: &str) -> Response {
    let mut response = refusal(&bad(message), Media::GraphqlResponse);
    *response.status_mut() = StatusCode::CONFLICT;
    response
}

fn bad(message: impl Into<String>) -> RequestError {
    RequestError::new(ErrorCode::BadRequest, message)
}

fn answer(answered: Result<Response, RequestError>) -> Response {
    let mut response = answered.unwrap_or_else(|error| refusal(&error, Media::GraphqlResponse));
    let headers: &mut HeaderMap = response.headers_mut();
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
