//! Server-sent events over one connection for many operations, at `/graphql/stream`.
//!
//! ```text
//! PUT     reserves a stream: 201, its token as text
//! GET     opens the event stream of a token
//! POST    starts an operation, `extensions.operationId` is its name: 202, what comes of it comes over the stream
//! DELETE  stops the operation `?operationId=`
//! ```
//!
//! The token is in the header `x-graphql-event-stream-token`, or for GET in the query as `token`; beside it each request says
//! who calls. A browser keeps six connections of HTTP/1.1 to a server, and here one is enough for all streams.
//! Invariant: a stream of somebody else looks like none.
//! Source: graphql-sse PROTOCOL.md, single connection mode.

mod held;
mod session;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing,
};
use schema::code::ErrorCode;
use serde_json::Value;
use tokio::sync::oneshot;

use self::{
    held::{Held, Owner},
    session::{Command, Started},
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
    let stream = routing::put(reserve).get(open).post(start).delete(stop);
    Router::new()
        .route("/graphql/stream", stream)
        .with_state(streams)
}

type OfClient = State<Arc<Streams>>;

async fn reserve(State(streams): OfClient, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let reserved = streams.caller(&parts).and_then(|origin| {
        let token = streams.held.reserve(Owner::of(&origin))?;
        Ok((StatusCode::CREATED, token).into_response())
    });
    answer(reserved)
}

async fn open(State(streams): OfClient, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let opened = streams.caller(&parts).and_then(|origin| {
        let name = token(&parts).ok_or_else(no_stream)?;
        let commands = streams.held.open(&name, &Owner::of(&origin))?;
        let cursor = origin.caller.principal.as_ref();
        let cursor = cursor.and_then(|_| streams.gateway.hub.cursor_of_now());
        let (session, body) = session::Session::new(Arc::clone(&streams.gateway), origin);
        let gone = Arc::clone(&streams);
        let running = async move {
            session.run(commands).await;
            gone.held.forget(&name);
        };
        let _task = streams.gateway.tasks.spawn("single connection", running);
        Ok(delivery::event_stream(body, cursor.as_deref()))
    });
    answer(opened)
}

async fn start(State(streams): OfClient, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let started = async {
        let origin = streams.caller(&parts)?;
        negotiate::require_json(&parts.headers)?;
        let commands = streams.commands(&parts, &origin)?;
        let http = &streams.gateway.config.http;
        let body = request::read_body(http, &parts.headers, body).await?;
        let request = request::from_body(&body)?;
        let id = request.extensions.get("operationId");
        let id = id.and_then(Value::as_str).map(str::to_owned);
        let id = id
            .filter(|id| (1..=ID_MAX).contains(&id.len()))
            .ok_or_else(|| {
                bad(format!(
                    "extensions.operationId must be a text of 1 to {ID_MAX} bytes"
                ))
            })?;
        let (reply, started) = oneshot::channel();
        let command = Command::Start {
            id,
            request: Box::new(request),
            origin: Box::new(origin),
            reply,
        };
        commands.send(command).await.map_err(|_| no_stream())?;
        match started.await.map_err(|_| no_stream())? {
            Started::Runs => Ok(StatusCode::ACCEPTED.into_response()),
            Started::Duplicate => {
                // The protocol's status; the table of codes has none for it.
                let error = bad("this operationId belongs to a running operation");
                let mut response = refusal(&error, Media::GraphqlResponse);
                *response.status_mut() = StatusCode::CONFLICT;
                Ok(response)
            }
            Started::TooMany(max) => Err(too_many(max)),
        }
    };
    answer(started.await)
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
        &self,
        parts: &Parts,
        origin: &Origin,
    ) -> Result<tokio::sync::mpsc::Sender<Command>, RequestError> {
        let name = token(parts).ok_or_else(no_stream)?;
        self.held.commands(&name, &Owner::of(origin))
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
