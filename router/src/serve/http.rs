//! GraphQL over HTTP: one request, one answer, or a stream of them.
//!
//! Invariant: a request is refused in this order: what it accepts, where it comes from, its media type, its size, its
//! form, its caller, its operation. Nothing runs before all have passed.
//! Source: GraphQL over HTTP (GraphQL Foundation), sections 5 and 6.

use std::{error::Error as _, net::IpAddr, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::LengthLimitError;
use schema::code::ErrorCode;

use super::{
    Gateway, auth, delivery,
    listener::Peer,
    negotiate::{self, Accepted, Media},
    operation::{Executed, Origin},
    rate, request, telemetry, websocket,
};
use crate::{
    engine::{GraphRequest, Prepared},
    error::RequestError,
    operation::{OperationKind, OperationKinds},
    stream::ResumeHints,
};

/// `POST /graphql`
pub(super) async fn post(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let checked = check(&gateway, &parts).and_then(|accepted| {
        negotiate::require_json(&parts.headers)?;
        Ok(accepted)
    });
    let accepted = match checked {
        Ok(accepted) => accepted,
        Err(error) => return refusal(&error, Media::GraphqlResponse),
    };
    let request = async {
        let body = read_body(&gateway, &parts.headers, body).await?;
        request::from_body(&body)
    };
    let request = request.await;
    serve(&gateway, &parts, &accepted, request).await
}

/// `GET /graphql`: queries, subscriptions over SSE, and the upgrade to WebSocket.
pub(super) async fn get(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    if parts.headers.contains_key(header::UPGRADE) {
        return websocket::upgrade(gateway, &mut parts).await;
    }
    let accepted = match check(&gateway, &parts) {
        Ok(accepted) => accepted,
        Err(error) => return refusal(&error, Media::GraphqlResponse),
    };
    let request = request::from_query(parts.uri.query().unwrap_or_default());
    serve(&gateway, &parts, &accepted, request).await
}

/// Any other method.
pub(super) async fn other_method() -> Response {
    let refused = RequestError::new(ErrorCode::MethodNotAllowed, "send POST or GET");
    let mut response = refusal(&refused, Media::GraphqlResponse);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    response
}

/// An answer that is only a refusal.
pub(super) fn refusal(error: &RequestError, media: Media) -> Response {
    let about_operation = error.is_about_the_operation();
    if about_operation && matches!(media, Media::EventStream | Media::Multipart) {
        return delivery::refused(error, media);
    }
    let status = if about_operation && media == Media::Json {
        StatusCode::OK
    } else {
        error.status()
    };
    let media = if media == Media::Json {
        negotiate::JSON
    } else {
        negotiate::GRAPHQL_RESPONSE
    };
    error.count();
    let mut response = (status, error.to_body()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media);
    rate::retry_after(error, headers);
    match error.code() {
        ErrorCode::MethodNotAllowed => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        ErrorCode::Unauthenticated => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    response
}

fn check(gateway: &Gateway, parts: &Parts) -> Result<Accepted, RequestError> {
    let accepted = negotiate::accepted(&parts.headers)?;
    negotiate::refuse_foreign_pages(&parts.method, &parts.headers, &gateway.origins)?;
    Ok(accepted)
}

async fn serve(
    gateway: &Arc<Gateway>,
    parts: &Parts,
    accepted: &Accepted,
    request: Result<GraphRequest, RequestError>,
) -> Response {
    let traceparent = telemetry::traceparent(&parts.headers);
    let answer = async {
        let request = request?;
        let origin = Origin {
            caller: auth::caller(&gateway.verifier, &parts.headers)?,
            idempotency_key: idempotency_key(&parts.headers)?,
            traceparent: traceparent.clone(),
            address: address(parts),
        };
        let prepared = gateway.prepare(&request, OperationKinds::ALL).await?;
        telemetry::operation(&prepared);
        if parts.method != Method::POST && prepared.kind() == OperationKind::Mutation {
            return Err(RequestError::new(
                ErrorCode::MethodNotAllowed,
                "a mutation needs POST",
            ));
        }
        if prepared.kind() == OperationKind::Subscription {
            let media = accepted.stream()?;
            let hints = resume_hints(&parts.headers, &request);
            return Ok(subscribe(gateway, prepared, origin, hints, media).await);
        }
        let address = origin.address;
        let executed = gateway
            .run(prepared, gateway.context(origin), address)
            .await?;
        Ok(single(gateway, executed, accepted.single()))
    };
    let answer = answer.await;
    answer.unwrap_or_else(|error| {
        refusal(
            &telemetry::traced(error, traceparent.as_deref()),
            accepted.single(),
        )
    })
}

/// Opens a stream. A refusal from here on is told inside of the stream, where an `EventSource` can read it.
async fn subscribe(
    gateway: &Arc<Gateway>,
    prepared: Prepared,
    origin: Origin,
    hints: ResumeHints,
    media: Media,
) -> Response {
    let address = origin.address;
    let ctx = gateway.context(origin);
    let opened = async {
        gateway.charge(&prepared, &ctx, address)?;
        gateway.hub.open(prepared, ctx.clone(), hints).await
    };
    match opened.await {
        Ok(subscription) => delivery::stream(gateway, subscription, media),
        Err(error) => {
            let error = telemetry::traced(error, ctx.traceparent.as_deref());
            delivery::refused(&error, media)
        }
    }
}

fn single(gateway: &Gateway, executed: Executed, media: Media) -> Response {
    let Executed { response, charge } = executed;
    let mut answer = match media {
        Media::EventStream | Media::Multipart => delivery::single(&response.body, media),
        Media::Json => ([(header::CONTENT_TYPE, negotiate::JSON)], response.body).into_response(),
        // Execution began, so the answer has `data`: 200, also when it is null.
        Media::GraphqlResponse => (
            [(header::CONTENT_TYPE, negotiate::GRAPHQL_RESPONSE)],
            response.body,
        )
            .into_response(),
    };
    answer.headers_mut().extend(gateway.rate.headers(&charge));
    answer
}

async fn read_body(
    gateway: &Gateway,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, RequestError> {
    let limit = gateway.config.http.body_limit_bytes;
    let too_large = || {
        let message = format!("the body is larger than {limit} bytes");
        let refused = RequestError::new(ErrorCode::PayloadTooLarge, message);
        refused.with("limit", "http.body_limit_bytes")
    };
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    if declared
        .and_then(|value| value.parse::<usize>().ok())
        .is_some_and(|size| size > limit)
    {
        return Err(too_large());
    }
    let read = axum::body::to_bytes(body, limit);
    match tokio::time::timeout(gateway.config.http.request_timeout, read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.source().is_some_and(|s| s.is::<LengthLimitError>()) => {
            Err(too_large())
        }
        Ok(Err(_)) => Err(RequestError::new(
            ErrorCode::BadRequest,
            "the body broke off",
        )),
        Err(_) => Err(RequestError::new(
            ErrorCode::BadRequest,
            "the body took too long to arrive",
        )),
    }
}

fn resume_hints(headers: &HeaderMap, request: &GraphRequest) -> ResumeHints {
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok());
    let last = last.filter(|text| !text.is_empty()).map(str::to_owned);
    ResumeHints {
        last_event_id: last,
        extension: None,
    }
    .with_extensions(&request.extensions)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, RequestError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) => Ok(Some(key.to_owned())),
        Ok(_) | Err(_) => Err(RequestError::new(
            ErrorCode::InvalidArgument,
            "idempotency-key must have 1 to 255 visible characters",
        )),
    }
}

pub(super) fn address(parts: &Parts) -> Option<IpAddr> {
    parts
        .extensions
        .get::<ConnectInfo<Peer>>()
        .map(|peer| peer.0.0.ip())
}
