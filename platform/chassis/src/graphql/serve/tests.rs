//! What reaches the schema over HTTP, and how the rest is refused.

use std::sync::{LazyLock, Mutex};

use async_graphql::{Context, EmptySubscription, Object, Schema};
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tower::ServiceExt as _;

use super::*;
use crate::{
    clock::Clock,
    principal::{ServiceSigner, Signer},
};

type Gate = Mutex<Option<oneshot::Receiver<()>>>;

struct Query;
struct Mutation;

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

#[Object]
impl Mutation {
    async fn change(&self) -> bool {
        true
    }
}

fn routes(gate: Option<oneshot::Receiver<()>>, calls: usize) -> Router {
    let schema = Schema::build(Query, Mutation, EmptySubscription)
        .data(Gate::new(gate))
        .finish();
    let keys = vec![Signer::generate(Clock::system()).jwk()];
    let verifier = Verifier::new(&JwkSet { keys }, Clock::system()).unwrap();
    let routes = subgraph_routes(
        LocalSubgraph::new("test", schema),
        Arc::new(verifier),
        services(),
        calls,
    );
    let (name, value) = SIGNER.header();
    // What the router does with every request.
    routes.layer(middleware::from_fn(
        move |mut request: Request, next: Next| {
            let (name, value) = (name.clone(), value.clone());
            if request.headers().get("x-stranger").is_none() {
                request.headers_mut().insert(name, value);
            }
            next.run(request)
        },
    ))
}

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().unwrap());
static SIGNER: LazyLock<ServiceSigner> =
    LazyLock::new(|| ServiceSigner::announce(ROUTER, FOLDER.path(), Clock::system()).unwrap());

fn services() -> ServiceVerifier {
    LazyLock::force(&SIGNER);
    ServiceVerifier::new(FOLDER.path(), Clock::system())
}

/// Fails with the layer left out.
#[tokio::test]
async fn nobody_but_a_service_is_answered_and_nothing_of_the_body_is_read() {
    let routes = routes(None, 8);
    // A body that would never end is not waited for.
    let endless = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let issuer = Signer::generate(Clock::system());
    let service = issuer.service_token("router", std::time::Duration::from_secs(60));
    let request = || Request::post("/graphql").header("x-stranger", "1");
    for request in [
        request(),
        request().header(SERVICE_TOKEN, "nonsense"),
        request().header(SERVICE_TOKEN, service.expose()),
    ] {
        let request = request.body(Body::empty()).unwrap();
        let (status, _, body) = send(&routes, request).await;
        assert_eq!(
            (status, code(&body)),
            (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED")
        );
    }
    let (status, _, _) = send(&routes, request().body(endless).unwrap()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

/// Each took seconds or gigabytes of a parser that had no bounds.
#[tokio::test]
async fn a_document_that_the_router_never_plans_is_refused_before_the_library_sees_it() {
    let routes = routes(None, 8);
    let doubled = |it: u32| {
        format!(
            "fragment f{it} on Query {{ ...f{} ...f{} }} ",
            it - 1,
            it - 1
        )
    };
    let bomb = (1..=25).map(doubled).collect::<String>();
    let many = (0..5_000)
        .map(|it| format!("a{it}: pass "))
        .collect::<String>();
    for query in [
        format!("{{ ...f25 }} fragment f0 on Query {{ pass }} {bomb}"),
        format!("{{ {many} }}"),
        format!("{{ pass {} }}", "pass ".repeat(100_000)),
    ] {
        let body = json!({ "query": query }).to_string();
        let (status, refused) = post(&routes, body).await;
        assert_eq!(code(&refused), "LIMIT_EXCEEDED", "{status}");
    }
    let representations = json!({"query": "{ pass }", "variables": {"r": vec![json!({}); 50_000]}});
    let (_, refused) = post(&routes, representations.to_string()).await;
    assert_eq!(code(&refused), "LIMIT_EXCEEDED");
}

async fn send(routes: &Router, request: Request) -> (StatusCode, String, Value) {
    let response = routes.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let media_type = response.headers()[header::CONTENT_TYPE].to_str().unwrap();
    let media_type = media_type.to_owned();
    let body = axum::body::to_bytes(response.into_body(), MAX_BODY).await;
    let body = serde_json::from_slice(&body.unwrap()).unwrap();
    (status, media_type, body)
}

async fn post(routes: &Router, body: impl Into<Body>) -> (StatusCode, Value) {
    let request = Request::post("/graphql").body(body.into()).unwrap();
    let (status, _, body) = send(routes, request).await;
    (status, body)
}

async fn get(routes: &Router, query: &str) -> (StatusCode, Value) {
    let request = Request::get(format!("/graphql?{query}"));
    let (status, _, body) = send(routes, request.body(Body::empty()).unwrap()).await;
    (status, body)
}

fn code(body: &Value) -> &str {
    assert_eq!(body["data"], Value::Null, "{body}");
    body["errors"][0]["extensions"]["code"].as_str().unwrap()
}

#[tokio::test]
async fn a_request_that_finds_no_place_is_refused_as_one_that_may_be_tried_again() {
    let (open, gate) = oneshot::channel();
    let routes = routes(Some(gate), 1);
    let pass = r#"{"query":"{ pass }"}"#;
    let mut first = Box::pin(post(&routes, pass));
    assert!(futures::poll!(&mut first).is_pending());

    let (status, refused) = post(&routes, pass).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let extensions = &refused["errors"][0]["extensions"];
    assert_eq!(
        *extensions,
        json!({ "code": "OVERLOADED", "retryable": true, "retryAfterSeconds": 1 })
    );
    assert_eq!(refused["data"], Value::Null);

    open.send(()).unwrap();
    let done = (StatusCode::OK, json!({ "data": { "pass": true } }));
    assert_eq!(first.await, done);
    assert_eq!(post(&routes, pass).await, done);
}

#[tokio::test]
async fn a_query_may_come_with_get_and_a_mutation_may_not() {
    let routes = routes(None, 8);
    let passed = (StatusCode::OK, json!({ "data": { "pass": true } }));
    assert_eq!(get(&routes, "query=%7Bpass%7D").await, passed);
    let both = "query=query+Q%7Bpass%7D+mutation+M%7Bchange%7D&operationName=";
    assert_eq!(get(&routes, &format!("{both}Q")).await, passed);
    for refused in ["query=mutation%7Bchange%7D", &format!("{both}M")] {
        let (status, body) = get(&routes, refused).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{refused}");
        assert_eq!(code(&body), "METHOD_NOT_ALLOWED");
    }
    let (status, body) = post(&routes, r#"{"query":"mutation { change }"}"#).await;
    assert_eq!(
        (status, body),
        (StatusCode::OK, json!({ "data": { "change": true } }))
    );
}

#[tokio::test]
async fn the_response_has_the_media_type_that_the_caller_accepts() {
    let routes = routes(None, 8);
    for (accept, expected) in [
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        (
            "application/graphql-response+json, application/json;q=0.9",
            GRAPHQL_RESPONSE,
        ),
    ] {
        for body in [r#"{"query":"{ pass }"}"#, "nonsense"] {
            let request = Request::post("/graphql").header(header::ACCEPT, accept);
            let request = request.header(header::CONTENT_TYPE, "application/json");
            let (_, media_type, _) = send(&routes, request.body(body.into()).unwrap()).await;
            assert_eq!(media_type, expected, "{accept}: {body}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_one_graphql_request_is_refused_with_a_graphql_error() {
    let routes = routes(None, 8);
    for body in [
        "nonsense",
        "42",
        r#"[{"query":"{ pass }"}]"#,
        r#"{"query":1}"#,
    ] {
        let (status, refused) = post(&routes, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(code(&refused), "INVALID_ARGUMENT", "{body}");
    }
    let (status, refused) = get(&routes, "query=%7Bpass%7D&variables=nonsense").await;
    assert_eq!(
        (status, code(&refused)),
        (StatusCode::BAD_REQUEST, "INVALID_ARGUMENT")
    );
}

/// The rules of every other interface. Fails without them.
#[tokio::test]
async fn a_body_may_begin_with_a_byte_order_mark_and_not_be_compressed() {
    let routes = routes(None, 8);
    let pass = r#"{"query":"{ pass }"}"#;
    let done = (StatusCode::OK, json!({ "data": { "pass": true } }));
    assert_eq!(post(&routes, format!("\u{feff}{pass}")).await, done);
    let encoded = |encoding| {
        let request = Request::post("/graphql").header(header::CONTENT_ENCODING, encoding);
        request.body(Body::from(pass)).unwrap()
    };
    let (status, _, refused) = send(&routes, encoded("gzip")).await;
    assert_eq!(
        (status, code(&refused)),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE")
    );
    let (status, _, body) = send(&routes, encoded("identity")).await;
    assert_eq!((status, body), done);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_with_a_graphql_error() {
    let routes = routes(None, 8);
    let (status, refused) = post(&routes, vec![b' '; MAX_BODY + 1]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(code(&refused), "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn a_token_that_is_not_valid_is_refused() {
    let request = Request::post("/graphql").header(header::AUTHORIZATION, "Bearer nonsense");
    let request = request.body(r#"{"query":"{ pass }"}"#.into()).unwrap();
    let (status, _, refused) = send(&routes(None, 8), request).await;
    assert_eq!(
        (status, &refused["code"]),
        (StatusCode::UNAUTHORIZED, &json!("UNAUTHENTICATED"))
    );
}
