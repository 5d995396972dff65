//! A subgraph over HTTP, when it is a process of its own.

use std::sync::Arc;

use async_graphql::{Pos, Request, Response as Answer, Variables};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use schema::code::ErrorCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{IdempotencyKeyHeader, LocalSubgraph, TraceParent};
use crate::{
    fault::{self, Coded},
    principal::{Verifier, bearer},
};

/// The most bytes of a request; representations of a full page fit well.
const MAX_BODY: usize = 4 << 20;

#[derive(Clone)]
struct Served {
    subgraph: LocalSubgraph,
    verifier: Arc<Verifier>,
    places: Arc<Semaphore>,
}

/// All places are taken.
#[derive(Debug, thiserror::Error)]
#[error("too many requests at once")]
struct Busy;

impl Coded for Busy {
    fn code(&self) -> ErrorCode {
        ErrorCode::Overloaded
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    query: String,
    #[serde(default)]
    variables: Value,
    operation_name: Option<String>,
}

/// `POST /graphql`. The token is checked here too: a subgraph trusts no network. More than `calls` requests at once are
/// refused with `OVERLOADED` before anything is read of them, so that a crowd of retries leaves time for who is served.
pub fn subgraph_routes(subgraph: LocalSubgraph, verifier: Arc<Verifier>, calls: usize) -> Router {
    let places = Arc::new(Semaphore::new(calls.min(Semaphore::MAX_PERMITS)));
    Router::new()
        .route("/graphql", post(graphql))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Served {
            subgraph,
            verifier,
            places,
        })
}

async fn graphql(State(served): State<Served>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(_place) = served.places.try_acquire() else {
        let refused = fault::graphql(Busy).into_server_error(Pos::default());
        let answer = Answer::from_errors(vec![refused]);
        return (StatusCode::TOO_MANY_REQUESTS, Json(answer)).into_response();
    };
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
    if let Some(key) = headers.get("idempotency-key") {
        request = request.data(IdempotencyKeyHeader(key.as_bytes().to_vec()));
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_graphql::{Context, EmptyMutation, EmptySubscription, Object, Schema};
    use axum::{body::Body, http::Request};
    use jsonwebtoken::jwk::JwkSet;
    use tokio::sync::oneshot;
    use tower::ServiceExt as _;

    use super::*;
    use crate::{clock::Clock, principal::Signer};

    type Gate = Mutex<Option<oneshot::Receiver<()>>>;

    struct Query;

    #[Object]
    impl Query {
        /// The first waits at the gate.
        async fn pass(&self, ctx: &Context<'_>) -> bool {
            let gate = ctx.data_unchecked::<Gate>().lock().unwrap().take();
            match gate {
                Some(gate) => gate.await.is_ok(),
                None => true,
            }
        }
    }

    async fn ask(routes: &Router) -> (StatusCode, Value) {
        let request = Request::post("/graphql").body(Body::from(r#"{"query":"{ pass }"}"#));
        let answer = routes.clone().oneshot(request.unwrap()).await.unwrap();
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), MAX_BODY).await;
        (status, serde_json::from_slice(&body.unwrap()).unwrap())
    }

    #[tokio::test]
    async fn a_request_that_finds_no_place_is_refused_as_one_that_may_be_tried_again() {
        let (open, gate) = oneshot::channel();
        let schema = Schema::build(Query, EmptyMutation, EmptySubscription)
            .data(Gate::new(Some(gate)))
            .finish();
        let keys = vec![Signer::generate(Clock::system()).jwk()];
        let verifier = Verifier::new(&JwkSet { keys }, Clock::system()).unwrap();
        let subgraph = LocalSubgraph::new("test", schema);
        let routes = subgraph_routes(subgraph, Arc::new(verifier), 1);
        let mut first = Box::pin(ask(&routes));
        assert!(futures::poll!(&mut first).is_pending());

        let (status, refused) = ask(&routes).await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
        let extensions = &refused["errors"][0]["extensions"];
        assert_eq!(
            *extensions,
            json!({ "code": "OVERLOADED", "retryable": true })
        );
        assert_eq!(refused["data"], Value::Null);

        open.send(()).unwrap();
        let done = (StatusCode::OK, json!({ "data": { "pass": true } }));
        assert_eq!(first.await, done);
        assert_eq!(ask(&routes).await, done);
    }
}
