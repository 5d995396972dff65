//! A small federated shop, with interfaces, unions and `@requires`, whose every fetch is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use federation::subgraph::{FetchError, FetchRequest};
use federation::{
    Code, Engine, EngineConfig, GraphRequest, GraphResponse, GraphqlError, Host, OperationKinds,
    Prepared, RequestContext, RequestError, RootFields, Subgraph, Telemetry, Transport,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};

use crate::executor::Executor;

pub(crate) const SUPERGRAPH: &str = include_str!("toy/supergraph.graphql");
pub(crate) const SUBGRAPHS: [(&str, &str); 3] = [
    ("catalog", include_str!("toy/catalog.graphql")),
    ("reviews", include_str!("toy/reviews.graphql")),
    ("stock", include_str!("toy/stock.graphql")),
];

/// One fetch as a subgraph saw it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) subgraph: &'static str,
    pub(crate) text: String,
    pub(crate) variables: Json,
}

/// What a subgraph does instead of answering.
pub(crate) type Trouble = Arc<dyn Fn(&Call) -> Option<Result<Json, FetchError>> + Send + Sync>;

struct Fake {
    name: &'static str,
    executor: Executor,
    calls: Arc<Mutex<Vec<Call>>>,
    trouble: Option<Trouble>,
}

impl Subgraph for Fake {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        async move {
            let variables: Map<String, Json> =
                serde_json::from_slice(&request.variables).expect("variables are JSON");
            let call = Call {
                subgraph: self.name,
                text: request.text.to_string(),
                variables: Json::Object(variables.clone()),
            };
            self.calls.lock().push(call.clone());
            if let Some(answer) = self.trouble.as_ref().and_then(|trouble| trouble(&call)) {
                return answer.map(|answer| match answer {
                    // A text goes out as it is: a JSON value would lose its digits.
                    Json::String(text) => Bytes::from(text),
                    other => Bytes::from(other.to_string()),
                });
            }
            // Another task may run here, as it does while a real subgraph works.
            tokio::task::yield_now().await;
            let answer = self.executor.execute(&request.text, &variables);
            Ok(Bytes::from(answer.to_string()))
        }
        .boxed()
    }
}

struct Own;

impl RootFields for Own {
    fn resolve<'a>(
        &'a self,
        field: &'a str,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Json, GraphqlError>> {
        async move {
            match field {
                "cursor" => Ok(json!("c-7")),
                "budget" => Err(GraphqlError::new(
                    Code::new("UNAUTHENTICATED"),
                    "a valid token is needed",
                )),
                other => panic!("no field {other}"),
            }
        }
        .boxed()
    }
}

/// Codes that the toy's clients know beside the engine's own; subgraphs also use others.
const PUBLIC_CODES: [&str; 3] = ["UNAUTHENTICATED", "FORBIDDEN", "OVERLOADED"];

/// The fetches that brought nothing: subgraph and reason.
#[derive(Default)]
struct Failures(Mutex<Vec<(String, &'static str)>>);

impl Telemetry for Failures {
    fn fetch_failed(&self, subgraph: &str, reason: &'static str) {
        self.0.lock().push((subgraph.to_owned(), reason));
    }
}

/// An engine over the toy supergraph, whose subgraph `events` is of this process.
pub(crate) fn engine(config: EngineConfig, subgraphs: BTreeMap<String, Transport>) -> Engine {
    observed(config, subgraphs, Arc::default())
}

fn observed(
    config: EngineConfig,
    mut subgraphs: BTreeMap<String, Transport>,
    failures: Arc<Failures>,
) -> Engine {
    subgraphs.insert("events".to_owned(), Transport::Fields(Arc::new(Own)));
    let host = Host {
        codes: PUBLIC_CODES
            .map(Code::new)
            .into_iter()
            .chain(Code::ALL)
            .collect(),
        telemetry: failures,
        ..Host::default()
    };
    Engine::new(config, SUPERGRAPH, subgraphs, host).expect("the toy supergraph loads")
}

/// The shop under test.
pub(crate) struct Toy {
    pub(crate) engine: Engine,
    calls: Arc<Mutex<Vec<Call>>>,
    failures: Arc<Failures>,
}

impl Toy {
    /// A shop over data.
    pub(crate) fn new(data: &Json) -> Self {
        Self::with(data, EngineConfig::default(), None)
    }

    /// A shop with settings, and with trouble in its subgraphs.
    pub(crate) fn with(data: &Json, config: EngineConfig, trouble: Option<Trouble>) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let mut subgraphs = BTreeMap::new();
        for (name, sdl) in SUBGRAPHS {
            let fake = Fake {
                name,
                executor: Executor::new(sdl, data.clone()),
                calls: calls.clone(),
                trouble: trouble.clone(),
            };
            subgraphs.insert(name.to_owned(), Transport::Custom(Arc::new(fake)));
        }
        let failures = Arc::<Failures>::default();
        Self {
            engine: observed(config, subgraphs, failures.clone()),
            calls,
            failures,
        }
    }

    /// Prepares an operation.
    pub(crate) async fn prepare(
        &self,
        query: &str,
        variables: Json,
    ) -> Result<Prepared, RequestError> {
        self.engine
            .prepare(&request(query, variables), OperationKinds::ALL)
            .await
    }

    /// Prepares and runs an operation.
    pub(crate) async fn run(&self, query: &str, variables: Json) -> Json {
        match self.prepare(query, variables).await {
            Ok(prepared) => body(&self.engine.execute(&prepared, &context()).await),
            Err(refused) => serde_json::from_slice(&refused.to_body()).expect("a body is JSON"),
        }
    }

    /// The fetches since the last look.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock())
    }

    /// The fetches that brought nothing since the last look, each by its subgraph and reason.
    pub(crate) fn failures(&self) -> Vec<(String, &'static str)> {
        std::mem::take(&mut self.failures.0.lock())
    }
}

/// A request by its text and variables.
pub(crate) fn request(query: &str, variables: Json) -> GraphRequest {
    let variables = match variables {
        Json::Object(variables) => variables,
        _ => Map::new(),
    };
    GraphRequest {
        query: Some(query.to_owned()),
        variables,
        ..GraphRequest::default()
    }
}

/// A caller without a token and with time enough.
pub(crate) fn context() -> RequestContext {
    RequestContext::anonymous(tokio::time::Instant::now() + Duration::from_secs(30))
}

/// The body of an answer.
pub(crate) fn body(response: &GraphResponse) -> Json {
    let body: Json = serde_json::from_slice(&response.body).expect("a body is JSON");
    assert_eq!(response.had_data, !body["data"].is_null());
    assert_eq!(
        response.errors,
        body["errors"].as_array().map_or(0, Vec::len)
    );
    body
}

/// Data with everything in it.
pub(crate) fn shop() -> Json {
    json!({
        "Query": {
            "product": null,
            "product(sku: \"1\")": { "$ref": "Product:1" },
            "product(sku: \"2\")": { "$ref": "Product:2" },
            "products": [{ "$ref": "Product:1" }, { "$ref": "Product:2" }, { "$ref": "Product:1" }],
            "sure": { "$ref": "Product:1" },
            "search": [{ "$ref": "Product:2" }, { "$ref": "Book:b" }],
            "feed": [{ "$ref": "Book:b" }, { "$ref": "Film:f" }, null],
            "wide": [{ "$ref": "Film:f" }, { "$ref": "Book:b" }],
            "me": { "$ref": "User:u" },
            "users": [{ "$ref": "User:u" }, { "$ref": "User:v" }],
            "warehouse": "north"
        },
        "Mutation": {
            "rename": { "$ref": "Product:1" },
            "drop": { "$ref": "Product:1" },
            "setStock": { "$ref": "Product:1" }
        },
        "entities": {
            "Product:1": {
                "sku": "1", "name": "pen", "weight": 3, "price": 100,
                "price(currency: \"USD\")": 110, "price(currency: \"CHF\")": 95,
                "tags": ["blue", "thin"], "extra": { "deep": [1, { "x": null }], "sku": "9" },
                "kind": "BOOK", "stock": { "available": 5, "total": 7 },
                "reviews": [{ "$ref": "Review:r" }, { "$ref": "Review:s" }], "best": { "$ref": "Review:r" }
            },
            "Product:2": {
                "sku": "2", "name": "1", "weight": null, "price": 200, "tags": null, "extra": "text",
                "kind": "SECRET", "stock": null, "reviews": [], "best": { "$ref": "Review:s" }
            },
            "Book:b": { "id": "b", "title": "Rust", "pages": 300, "size": 12,
                "reviews": [{ "$ref": "Review:s" }] },
            "Film:f": { "id": "f", "title": null, "minutes": 90, "size": "wide",
                "reviews": [{ "$ref": "Review:r" }] },
            "Review:r": { "id": "r", "body": "good", "author": { "$ref": "User:u" },
                "product": { "$ref": "Product:1" } },
            "Review:s": { "id": "s", "body": "bad", "author": { "$ref": "User:v" },
                "product": { "$ref": "Product:2" } },
            "User:u": { "id": "u", "name": "Una", "email": null, "reviews": [{ "$ref": "Review:r" }],
                "friends": [{ "$ref": "User:v" }] },
            "User:v": { "id": "v", "name": "Vic", "email": "v@x", "reviews": [{ "$ref": "Review:s" }],
                "friends": [] }
        }
    })
}
