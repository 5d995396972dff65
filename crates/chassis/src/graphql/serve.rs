//! A subgraph over HTTP, when it is a process of its own.

use std::sync::Arc;

use async_graphql::{Request, Variables};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{IdempotencyKeyHeader, LocalSubgraph, MAX_KEY, TraceParent};
use crate::{
    fault,
    principal::{Verifier, bearer},
};

/// The most bytes of a request; representations of a full page fit well.
const MAX_BODY: usize = 4 << 20;

#[derive(Clone)]
struct Served {
    subgraph: LocalSubgraph,
    verifier: Arc<Verifier>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    query: String,
    #[serde(default)]
    variables: Value,
    operation_name: Option<String>,
}

/// `POST /graphql`. The token is checked here too: a subgraph trusts no network.
pub fn subgraph_routes(subgraph: LocalSubgraph, verifier: Arc<Verifier>) -> Router {
    Router::new()
        .route("/graphql", post(graphql))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Served { subgraph, verifier })
}

async fn graphql(State(served): State<Served>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(body) = serde_json::from_slice::<Body>(&body) else {
        let errors = json!({ "errors": [{ "message": "the body is no GraphQL request" }] });
        return (StatusCode::BAD_REQUEST, Json(errors)).into_response();
    };
    let mut request = Request::new(body.query).variables(Variables::from_json(body.variables));
    request.operation_name = body.operation_name;
    if let Some(token) = bearer(&headers) {
        match served.verifier.verify(token) {
            Ok(principal) => request = request.data(Arc::new(principal)),
            Err(error) => return fault::response(error),
        }
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(key) = text("idempotency-key").filter(|key| key.len() <= 4 * MAX_KEY) {
        request = request.data(IdempotencyKeyHeader(key.to_owned()));
    }
    if let Some(trace) = text("traceparent").filter(|trace| trace.len() <= 128) {
        request = request.data(TraceParent(trace.to_owned()));
    }
    let answer = served.subgraph.execute(request).await;
    match serde_json::to_vec(&answer) {
        Ok(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
