//! What the engine executes for one request, for `make bench-router-instructions`: the process makes as many requests as it is
//! told and ends. Run under callgrind with two numbers of requests, the difference is what the requests alone cost.
//!
//! Subgraphs answer from memory what they once computed, so hardly anything but the engine is counted.

#![expect(clippy::print_stdout, reason = "the summary is what it is for")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use federation::engine::Limits;
use federation::subgraph::{FetchError, FetchRequest};
use federation::{
    Engine, EngineConfig, GraphRequest, Host, OperationKinds, Prepared, RequestContext, Subgraph,
    Transport,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;

mod data;
#[path = "../../tests/it/executor.rs"]
mod executor;

use executor::Executor;

// As the product has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SUPERGRAPH: &str = include_str!("supergraph.graphql");
const SUBGRAPHS: [(&str, &str); 4] = [
    ("accounts", include_str!("accounts.graphql")),
    ("inventory", include_str!("inventory.graphql")),
    ("products", include_str!("products.graphql")),
    ("reviews", include_str!("reviews.graphql")),
];
const QUERIES: [(&str, &str); 3] = [
    ("benchmark", include_str!("benchmark.graphql")),
    (
        "two-hops",
        "{ topProducts(first: 5) { upc name reviews { id body author { id username reviews { id } } } } }",
    ),
    ("one-hop", "{ users { id name username } }"),
];

/// A subgraph that computes an answer once.
struct Replaying {
    executor: Executor,
    known: Mutex<Vec<Exchange>>,
}

struct Exchange {
    text: Arc<str>,
    variables: Bytes,
    answer: Bytes,
}

impl Replaying {
    fn answer(&self, request: &FetchRequest) -> Bytes {
        let mut known = self.known.lock();
        let found = known
            .iter()
            .find(|it| it.text == request.text && it.variables == request.variables);
        if let Some(found) = found {
            return found.answer.clone();
        }
        let variables = serde_json::from_slice(&request.variables).expect("variables are JSON");
        let answer = self.executor.execute(&request.text, &variables);
        assert!(answer.get("errors").is_none(), "{answer}");
        let answer = Bytes::from(answer.to_string());
        known.push(Exchange {
            text: request.text.clone(),
            variables: request.variables.clone(),
            answer: answer.clone(),
        });
        answer
    }
}

impl Subgraph for Replaying {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        async move { Ok(self.answer(&request)) }.boxed()
    }
}

fn engine() -> Engine {
    let data = data::data();
    let subgraphs = SUBGRAPHS.map(|(name, sdl)| {
        let replaying = Replaying {
            executor: Executor::new(sdl, data.clone()),
            known: Mutex::default(),
        };
        (name.to_owned(), Transport::Custom(Arc::new(replaying)))
    });
    let config = EngineConfig {
        limits: Limits {
            // The benchmark's query costs more than the default lets pass: docs/router.md.
            cost: 1_000_000,
            ..Limits::default()
        },
        ..EngineConfig::default()
    };
    let subgraphs = BTreeMap::from(subgraphs);
    Engine::new(config, SUPERGRAPH, subgraphs, Host::default()).expect("the supergraph loads")
}

fn request(text: &str) -> GraphRequest {
    GraphRequest {
        query: Some(text.to_owned()),
        ..GraphRequest::default()
    }
}

/// What is new about each request.
#[derive(Clone, Copy)]
enum Kind {
    Known,
    /// Its text, which asks what another has asked.
    Text,
    /// What it asks, so that it is planned.
    Planned,
}

async fn prepare(engine: &Engine, request: &GraphRequest) -> Prepared {
    let prepared = engine.prepare(request, OperationKinds::ALL).await;
    prepared.unwrap_or_else(|refused| panic!("{refused:?}"))
}

/// Prepares and runs a request; gives the bytes of its response.
async fn run(engine: &Engine, request: &GraphRequest) -> Bytes {
    let ctx = RequestContext::anonymous(tokio::time::Instant::now() + Duration::from_hours(1));
    let prepared = prepare(engine, request).await;
    let response = engine.execute(&prepared, &ctx).await;
    assert_eq!(response.errors, 0);
    response.body
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().expect("a query's name");
    let requests: u32 = arguments
        .next()
        .and_then(|number| number.parse().ok())
        .expect("a number of requests");
    let (name, kind) = match name.rsplit_once('-') {
        Some((name, "text")) => (name, Kind::Text),
        Some((name, "planned")) => (name, Kind::Planned),
        _ => (&*name, Kind::Known),
    };
    let (_, text) = QUERIES
        .into_iter()
        .find(|(known, _)| *known == name)
        .expect("benchmark, two-hops or one-hop, each with -text or -planned too");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let engine = engine();
        let plain = request(text);
        for _ in 0..3 {
            run(&engine, &plain).await;
        }
        let started = Instant::now();
        let mut bytes = 0;
        for number in 0..requests {
            bytes = match kind {
                Kind::Known => run(&engine, &plain).await.len(),
                Kind::Text => run(&engine, &request(&format!("{text}# {number}")))
                    .await
                    .len(),
                Kind::Planned => {
                    // Subgraphs would have to compute what is asked, so it is prepared alone.
                    let own = text.replace("first: 5", &format!("first: {}", 6 + number));
                    prepare(&engine, &request(&own)).await;
                    0
                }
            };
        }
        let took = started.elapsed();
        println!("{name}: {requests} requests, {bytes} bytes each, {took:?}");
    });
}
