//! GraphQL over HTTP: one request, one response, or a stream of them.
//!
//! Invariant: a request is refused in this order: what it accepts, where it comes from, its media type, its size, its
//! form, its caller, its operation. Nothing runs before all have passed.
//! Source: GraphQL over HTTP (GraphQL Foundation), sections 5 and 6.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use chassis::compress::Coding;
use federation::{GraphRequest, OperationKind, Prepared};
use schema::code::ErrorCode;

use super::{
    csrf, delivery,
    gateway::{Executed, Gateway},
    negotiate::{self, Accepted, Media},
    origin::Origin,
    playground, rate_limit,
    refusal::refusal,
    request, telemetry, websocket,
};
use crate::{
    error::RequestError,
    stream::{Credentials, ResumeHints},
};

/// `POST /graphql`
pub(super) async fn post(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let accepted = match check(&gateway, &parts)
        .and_then(|accepted| negotiate::require_json(&parts.headers).map(|()| accepted))
    {
        Ok(accepted) => accepted,
        Err(error) => return refusal(&error, Media::GraphqlResponse),
    };
    let body = request::read_body(&gateway.config.http, &parts.headers, body).await;
    let request = body.and_then(|body| request::from_body(&body));
    // Its future is large, and moves through every layer with the one that waits for it.
    let response = Box::pin(serve(&gateway, &parts, &accepted, request)).await;
    compressed(&gateway, &parts.headers, response).await
}

/// `GET /graphql`: queries, subscriptions over SSE, and the upgrade to WebSocket.
pub(super) async fn get(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if parts.headers.contains_key(header::UPGRADE) {
        return websocket::upgrade(gateway, &parts);
    }
    if gateway.config.playground_enabled && playground::is_visit(&parts) {
        return Redirect::to("/").into_response();
    }
    let accepted = match check(&gateway, &parts) {
        Ok(accepted) => accepted,
        Err(error) => return refusal(&error, Media::GraphqlResponse),
    };
    let request = request::from_query(parts.uri.query().unwrap_or_default());
    // Its future is large, and moves through every layer with the one that waits for it.
    let response = Box::pin(serve(&gateway, &parts, &accepted, request)).await;
    compressed(&gateway, &parts.headers, response).await
}

/// `GET /schema.graphql`: what clients may ask, as SDL; absent where introspection is off.
pub(super) async fn schema(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response {
    if gateway.config.engine.introspection_enabled == Some(false) {
        return refusal(
            &RequestError::masked(ErrorCode::NotFound),
            Media::GraphqlResponse,
        );
    }
    let sdl = [(header::CONTENT_TYPE, "application/graphql; charset=utf-8")];
    let response = (sdl, gateway.engine.sdl()).into_response();
    compressed(&gateway, &headers, response).await
}

/// The response as its client takes it.
async fn compressed(gateway: &Gateway, asked: &HeaderMap, response: Response) -> Response {
    if gateway.config.http.compress {
        Coding::asked(asked).encode(response).await
    } else {
        response
    }
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

/// What can be refused before the request is read.
fn check(gateway: &Gateway, parts: &Parts) -> Result<Accepted, RequestError> {
    let accepted = negotiate::accepted(&parts.headers)?;
    csrf::refuse_foreign_pages(&parts.method, &parts.headers, &gateway.origins)?;
    Ok(accepted)
}

async fn serve(
    gateway: &Gateway,
    parts: &Parts,
    accepted: &Accepted,
    request: Result<GraphRequest, RequestError>,
) -> Response {
    let served = async {
        let request = request.inspect_err(|_| gateway.charge_refused(parts))?;
        operation(gateway, parts, accepted, request).await
    };
    served.await.unwrap_or_else(|error| {
        let traceparent = telemetry::traceparent(&parts.headers);
        let error = telemetry::traced(error, traceparent.as_deref());
        refusal(&error, accepted.single())
    })
}

/// Says who calls, prepares the operation, and runs it or opens its stream.
async fn operation(
    gateway: &Gateway,
    parts: &Parts,
    accepted: &Accepted,
    request: GraphRequest,
) -> Result<Response, RequestError> {
    let origin = gateway.origin(parts)?;
    let prepared = gateway.prepare(&request, origin.rate_limit_key()).await?;
    telemetry::operation(&prepared);
    match prepared.kind() {
        OperationKind::Mutation if parts.method != Method::POST => Err(RequestError::new(
            ErrorCode::MethodNotAllowed,
            "a mutation needs POST",
        )),
        OperationKind::Subscription => {
            let media = accepted.stream()?;
            let hints = resume_hints(&parts.headers, &request)?;
            let form = delivery::Form {
                media,
                tells_end: request::tells_end(&request)?,
            };
            Ok(subscribe(gateway, prepared, origin, hints, form).await)
        }
        OperationKind::Query | OperationKind::Mutation => {
            let key = origin.rate_limit_key();
            let leaves_at = origin.leaves_at;
            let ctx = gateway.context(origin);
            let executed = gateway.run(prepared, ctx, key, leaves_at).await?;
            Ok(single(gateway, executed, accepted.single()))
        }
    }
}

/// Opens a stream. From here on a refusal is written into the stream, where an `EventSource` can read it.
async fn subscribe(
    gateway: &Gateway,
    prepared: Prepared,
    origin: Origin,
    hints: ResumeHints,
    form: delivery::Form,
) -> Response {
    let key = origin.rate_limit_key();
    let ctx = gateway.context(origin);
    let traceparent = ctx.traceparent.clone();
    let credentials = Credentials::fixed(&ctx);
    match gateway.open(prepared, ctx, credentials, hints, key).await {
        Ok(subscription) => delivery::stream(gateway, subscription, form),
        Err(end) => delivery::not_opened(end, form, |error| {
            telemetry::traced(error, traceparent.as_deref())
        }),
    }
}

fn single(gateway: &Gateway, executed: Executed, media: Media) -> Response {
    let Executed {
        response,
        charge,
        headers: passed_back,
    } = executed;
    let mut response = match media {
        Media::EventStream | Media::Multipart => delivery::single(&response.body, media),
        Media::Json => ([(header::CONTENT_TYPE, negotiate::JSON)], response.body).into_response(),
        // Execution began, so the response has `data`: 200, also when it is null.
        Media::GraphqlResponse => (
            [(header::CONTENT_TYPE, negotiate::GRAPHQL_RESPONSE)],
            response.body,
        )
            .into_response(),
    };
    response.headers_mut().extend(passed_back);
    let headers = rate_limit::headers(&charge, gateway.clock.now());
    response.headers_mut().extend(headers);
    response
}

fn resume_hints(headers: &HeaderMap, request: &GraphRequest) -> Result<ResumeHints, RequestError> {
    // What is no text is no cursor either, and is refused as such.
    let last_event_id = headers
        .get("last-event-id")
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .filter(|text| !text.is_empty());
    ResumeHints {
        last_event_id,
        extension: None,
    }
    .with_extensions(&request.extensions)
}
