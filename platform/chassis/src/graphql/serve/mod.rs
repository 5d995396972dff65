//! A subgraph over HTTP, when it is a process of its own: async-graphql-axum reads requests and writes responses, and
//! this file adds what it lacks.
//!
//! From the outside in: the calling service's token, because a subgraph trusts no network and nobody but the router has
//! business here; admission, so that a crowd of retries is refused before it is parsed; the user's token; the bounds of the
//! document; the headers that go along with a call. Start reading at [`subgraph_routes`].

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_graphql::{ParseRequestError, Pos, parser::types::OperationType};
use async_graphql_axum::{GraphQLRequest, GraphQLResponse, rejection::GraphQLRejection};
use axum::{
    BoxError, RequestExt as _, Router,
    body::{Body, to_bytes},
    error_handling::HandleErrorLayer,
    extract::{DefaultBodyLimit, FromRequest as _, Query, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use schema::code::ErrorCode;
use serde::Deserialize;
use tokio::time::Instant;
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer, load_shed::LoadShedLayer};

use super::{
    IdempotencyKeyHeader, LocalSubgraph, RESPONSE_OBJECTS_MAX, ResponseBudget, TraceParent,
    bounds::{self, Excess},
};
use crate::{
    deadline,
    fault::{self, Coded},
    principal::{Principal, SERVICE_TOKEN, ServiceVerifier, TokenError, Verifier, bearer},
    request_rules::{Unfit, refuse_encoded, without_byte_order_mark},
};

/// The most bytes of a request; representations of a full page fit well.
const MAX_BODY: usize = 4 << 20;
/// The longest trace context that is passed on.
const MAX_TRACEPARENT: usize = 128;

/// The service that has business here.
const ROUTER: &str = "router";

/// The media type of GraphQL responses for callers that accept it; the others get plain JSON.
const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

/// Why a request did not reach the schema.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("too many requests at once")]
    Overloaded,
    #[error("the body must not be larger than {MAX_BODY} bytes")]
    TooLarge,
    #[error("this is not a GraphQL request: {0}")]
    Malformed(ParseRequestError),
    #[error("batches are not supported: send one operation a request")]
    Batch,
    #[error("only a query may be sent with GET: send this operation with POST")]
    NotAQuery,
    #[error("this port answers the router only: send GraphQL there")]
    NoService,
    #[error("this port answers the router only: {0}")]
    Service(TokenError),
    #[error(transparent)]
    TooMuch(#[from] Excess),
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

impl Coded for Refused {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Overloaded => ErrorCode::Overloaded,
            Self::TooLarge => ErrorCode::PayloadTooLarge,
            Self::Malformed(_) | Self::Batch => ErrorCode::InvalidArgument,
            Self::NotAQuery => ErrorCode::MethodNotAllowed,
            Self::NoService => ErrorCode::Unauthenticated,
            Self::Service(error) => error.code(),
            Self::TooMuch(excess) => excess.code(),
            Self::Unfit(unfit) => unfit.code(),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code().http());
        let is_overloaded = self.code() == ErrorCode::Overloaded;
        let error = fault::graphql(self).into_server_error(Pos::default());
        let body = async_graphql::Response::from_errors(vec![error]);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, GraphQLResponse::from(body)).into_response();
        if is_overloaded {
            let seconds = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// `GET` and `POST /graphql`, for the router only. More than `calls` requests at once are refused with `OVERLOADED`.
pub fn subgraph_routes(
    subgraph: LocalSubgraph,
    verifier: Arc<Verifier>,
    services: ServiceVerifier,
    calls: usize,
) -> Router {
    let overloaded = |_: BoxError| async { Refused::Overloaded };
    let admission = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(overloaded))
        .layer(LoadShedLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(calls));
    Router::new()
        .route("/graphql", post(graphql).get(graphql))
        .with_state(subgraph)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(verifier, authenticate))
        .layer(admission)
        .layer(middleware::from_fn_with_state(
            services,
            authenticate_service,
        ))
        .layer(middleware::from_fn(negotiate))
}

/// Sends the media type that the caller accepts; the library knows only its own.
async fn negotiate(request: Request, next: Next) -> Response {
    let mut accepted = request.headers().get_all(header::ACCEPT).iter();
    let is_accepted = accepted.any(|value| {
        let value = value.to_str().unwrap_or_default();
        value.contains(GRAPHQL_RESPONSE)
    });
    let mut response = next.run(request).await;
    let content_type = response.headers_mut().get_mut(header::CONTENT_TYPE);
    if let Some(content_type) = content_type.filter(|it| *it == GRAPHQL_RESPONSE && !is_accepted) {
        *content_type = HeaderValue::from_static("application/json");
    }
    response
}

/// Lets services in, before anything of the body is read.
async fn authenticate_service(
    State(services): State<ServiceVerifier>,
    request: Request,
    next: Next,
) -> Result<Response, Refused> {
    let token = request
        .headers()
        .get(SERVICE_TOKEN)
        .ok_or(Refused::NoService)?;
    let token = token.to_str().map_err(|_| Refused::NoService)?;
    let service = services.verify(token).map_err(Refused::Service)?;
    if &*service != ROUTER {
        return Err(Refused::NoService);
    }
    Ok(next.run(request).await)
}

/// Lets nobody in with a token that is not valid. Without a token the caller is nobody, whom the schema refuses where it
/// must.
async fn authenticate(
    State(verifier): State<Arc<Verifier>>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = bearer(request.headers());
    match token.and_then(|token| token.map(|it| verifier.verify(it)).transpose()) {
        Ok(None) => {}
        Ok(Some(principal)) => {
            request.extensions_mut().insert(Arc::new(principal));
        }
        Err(error) => return fault::response(error),
    }
    next.run(request).await
}

async fn graphql(
    State(subgraph): State<LocalSubgraph>,
    http: Request,
) -> Result<GraphQLResponse, Refused> {
    let (headers, method) = (http.headers().clone(), http.method().clone());
    let principal = http.extensions().get::<Arc<Principal>>().cloned();
    let mut request = read(http).await?;
    if method == Method::GET && !is_query(&mut request) {
        return Err(Refused::NotAQuery);
    }
    if let Some(principal) = principal {
        request = request.data(principal);
    }
    let leaves_at = deadline::patience(&headers).map(|patience| Instant::now() + patience);
    let execution = subgraph.execute(with_headers(request, &headers));
    let response = deadline::until(leaves_at, execution).await;
    Ok(GraphQLResponse::from(response))
}

async fn read(http: Request) -> Result<async_graphql::Request, Refused> {
    refuse_encoded(http.headers())?;
    let is_get = http.method() == Method::GET;
    // The specification says `operationName`, the library reads `operation_name`.
    let name = Query::<OperationName>::try_from_uri(http.uri());
    let (head, body) = http.with_limited_body().into_parts();
    // Only the limit breaks off a body whose sender is still there to be told.
    let body = to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| Refused::TooLarge)?;
    let body = body.slice_ref(without_byte_order_mark(&body));
    let http = Request::from_parts(head, Body::from(body));
    let read = GraphQLRequest::<GraphQLRejection>::from_request(http, &());
    let request = read.await.map_err(|GraphQLRejection(error)| match error {
        ParseRequestError::UnsupportedBatch => Refused::Batch,
        error => Refused::Malformed(error),
    });
    let mut request = request?.into_inner();
    bounds::check(&mut request)?;
    if let (true, Ok(Query(name))) = (is_get, name) {
        request.operation_name = name.operation_name.or(request.operation_name);
    }
    Ok(request)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OperationName {
    operation_name: Option<String>,
}

/// Whether a GET may run it. A document that does not parse may: nothing of it runs.
fn is_query(request: &mut async_graphql::Request) -> bool {
    let name = request.operation_name.clone();
    let Ok(document) = request.parsed_query() else {
        return true;
    };
    let mut operations = document.operations.iter();
    operations.all(|(operation, it)| {
        let is_chosen = name.is_none() || operation.map(|name| name.as_str()) == name.as_deref();
        !is_chosen || it.node.ty == OperationType::Query
    })
}

/// Passes on the idempotency key as it came, so that a wrong one is refused and not lost, the size of the response that
/// the caller takes in, and the trace context.
fn with_headers(
    mut request: async_graphql::Request,
    headers: &HeaderMap,
) -> async_graphql::Request {
    if let Some(key) = headers.get("idempotency-key") {
        request = request.data(IdempotencyKeyHeader(key.as_bytes().to_vec()));
    }
    let budget = headers.get(RESPONSE_OBJECTS_MAX);
    if let Some(budget) = budget.and_then(|it| ResponseBudget::from_header(it.as_bytes())) {
        request = request.data(budget);
    }
    let trace = headers.get("traceparent").and_then(|it| it.to_str().ok());
    if let Some(trace) = trace.filter(|trace| trace.len() <= MAX_TRACEPARENT) {
        request = request.data(TraceParent(trace.to_owned()));
    }
    request
}
