//! Subgraphs in other processes: GraphQL over HTTP/1.1 and h2c.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use axum::routing::post;
use axum::{Json as Body, Router};
use federation::subgraph::FetchConfig;
use federation::{Engine, EngineConfig, GraphRequest, OperationKinds, RequestContext, Transport};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::executor::Executor;
use crate::toy::{SUBGRAPHS, body, context, request, shop};

/// The toy subgraphs, each on a port of its own; they stop with the value.
struct Served {
    addresses: BTreeMap<String, SocketAddr>,
    seen: Arc<Mutex<Vec<(axum::http::Version, HeaderMap)>>>,
    servers: Vec<JoinHandle<()>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

type Shared = Arc<(Executor, Arc<Mutex<Vec<(axum::http::Version, HeaderMap)>>>)>;

async fn answer(
    State(shared): State<Shared>,
    version: axum::http::Version,
    headers: HeaderMap,
    Body(call): Body<Json>,
) -> Body<Json> {
    shared.1.lock().push((version, headers));
    let variables = call["variables"]
        .as_object()
        .expect("variables are an object");
    Body(
        shared
            .0
            .execute(call["query"].as_str().expect("a text"), variables),
    )
}

async fn serve() -> Served {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (mut addresses, mut servers) = (BTreeMap::new(), Vec::new());
    for (name, sdl) in SUBGRAPHS {
        let shared: Shared = Arc::new((Executor::new(sdl, shop()), seen.clone()));
        let routes = Router::new()
            .route("/graphql", post(answer))
            .with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        addresses.insert(
            name.to_owned(),
            listener.local_addr().expect("a bound port"),
        );
        #[expect(
            clippy::disallowed_methods,
            reason = "the test stops its servers itself"
        )]
        servers.push(tokio::spawn(async move {
            axum::serve(listener, routes)
                .await
                .expect("it serves until it is stopped");
        }));
    }
    Served {
        addresses,
        seen,
        servers,
    }
}

fn engine(addresses: &BTreeMap<String, SocketAddr>, fetch: FetchConfig) -> Engine {
    let transport = |address| {
        let url = format!("http://{address}/graphql");
        Transport::Http(url.parse().expect("a URL"))
    };
    let subgraphs = addresses
        .iter()
        .map(|(name, address)| (name.clone(), transport(address)))
        .collect();
    let config = EngineConfig {
        fetch,
        ..EngineConfig::default()
    };
    crate::toy::engine(config, subgraphs)
}

async fn run(engine: &Engine, request: &GraphRequest, ctx: &RequestContext) -> Json {
    let prepared = engine
        .prepare(request, OperationKinds::ALL)
        .await
        .expect("a valid operation");
    body(&engine.execute(&prepared, ctx).await)
}

const QUERY: &str =
    r#"query($sku: ID!) { product(sku: $sku) { name stock { total } } me { name } }"#;

#[tokio::test]
async fn both_versions_of_http_bring_the_answer_and_the_callers_headers() {
    let served = serve().await;
    for http2_prior_knowledge in [false, true] {
        let engine = engine(
            &served.addresses,
            FetchConfig {
                http2_prior_knowledge,
                ..FetchConfig::default()
            },
        );
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", HeaderValue::from_static("k-1"));
        let mut ctx = context();
        ctx.headers = Arc::new(headers);
        ctx.traceparent =
            Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
        let answer = run(&engine, &request(QUERY, json!({ "sku": "1" })), &ctx).await;
        // The executor knows fields by literal arguments, so the variable reaches it as a value.
        let product = json!({ "name": "pen", "stock": { "total": 7 } });
        assert_eq!(
            answer,
            json!({ "data": { "product": product, "me": { "name": "Una" } } })
        );
        let seen = std::mem::take(&mut *served.seen.lock());
        assert_eq!(seen.len(), 3);
        for (version, headers) in seen {
            let second = version == axum::http::Version::HTTP_2;
            assert_eq!(second, http2_prior_knowledge);
            assert_eq!(headers["idempotency-key"], "k-1");
            assert!(
                headers["traceparent"]
                    .to_str()
                    .unwrap()
                    .contains("0af7651916cd43dd")
            );
            assert!(!headers.contains_key("authorization"));
        }
    }
}

#[tokio::test]
async fn an_answer_over_the_bound_counts_as_none() {
    let served = serve().await;
    let fetch = FetchConfig {
        max_response_bytes: 20,
        ..FetchConfig::default()
    };
    let engine = engine(&served.addresses, fetch);
    let answer = run(&engine, &request(QUERY, json!({ "sku": "1" })), &context()).await;
    assert_eq!(answer["data"], json!({ "product": null, "me": null }));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE");
}

#[tokio::test]
async fn a_subgraph_that_is_not_there_leaves_the_rest_of_the_answer() {
    let served = serve().await;
    let mut addresses = served.addresses.clone();
    // A port that was just free and is closed again: nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    addresses.insert("stock".to_owned(), closed);
    let engine = engine(&addresses, FetchConfig::default());
    let answer = run(&engine, &request(QUERY, json!({ "sku": "1" })), &context()).await;
    let product = json!({ "name": "pen", "stock": null });
    assert_eq!(
        answer["data"],
        json!({ "product": product, "me": { "name": "Una" } })
    );
    assert_eq!(answer["errors"][0]["path"], json!(["product", "stock"]));
}
