//! The four subgraphs of the benchmark. Each computes an answer once and then has it in memory, so what is measured is the
//! gateway in front of it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, body::Bytes, extract::State, http::header::CONTENT_TYPE, routing::post};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value as Json;
use tokio::net::TcpListener;

#[path = "../../../../../router/federation/benches/instructions/data.rs"]
mod data;
#[path = "../../../../../router/federation/tests/it/executor.rs"]
mod executor;

use self::{data::data, executor::Executor};

macro_rules! graph {
    ($file:literal) => {
        include_str!(concat!(
            "../../../../../router/federation/benches/instructions/",
            $file
        ))
    };
}

const SUPERGRAPH: &str = graph!("supergraph.graphql");
const SUBGRAPHS: [(&str, &str); 4] = [
    ("accounts", graph!("accounts.graphql")),
    ("inventory", graph!("inventory.graphql")),
    ("products", graph!("products.graphql")),
    ("reviews", graph!("reviews.graphql")),
];

/// A query whose answer has 8 MiB.
pub(crate) const LARGE: &str = "{ catalogue { sku name description price units } }";
const LARGE_BYTES: usize = 8 * 1024 * 1024;
/// What `accounts` has for that query alone.
const CATALOGUE: [(&str, &str); 2] = [
    (
        "  users: [User] @join__field(graph: ACCOUNTS)\n",
        "  catalogue: [Entry!] @join__field(graph: ACCOUNTS)\n",
    ),
    (
        "type User @join__type",
        "type Entry @join__type(graph: ACCOUNTS) {\n  sku: Int!\n  name: String!\n  description: String!\n  price: Int!\n  \
         units: Int!\n}\n\n",
    ),
];

/// Subgraphs that run.
pub(crate) struct Subgraphs {
    addresses: Vec<(&'static str, String)>,
    requests: Arc<AtomicU64>,
}

struct Subgraph {
    executor: Executor,
    known: Mutex<HashMap<Bytes, Bytes>>,
    requests: Arc<AtomicU64>,
}

#[derive(Deserialize)]
struct Request {
    query: String,
    #[serde(default)]
    variables: Option<serde_json::Map<String, Json>>,
}

impl Subgraphs {
    /// Starts them on free ports.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let requests = Arc::<AtomicU64>::default();
        let mut addresses = Vec::new();
        for (name, sdl) in SUBGRAPHS {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            addresses.push((name, format!("http://{}", listener.local_addr()?)));
            let subgraph = Subgraph {
                executor: Executor::new(sdl, data()),
                known: Mutex::default(),
                requests: requests.clone(),
            };
            let routes = Router::new()
                .route("/", post(answer))
                .with_state(Arc::new(subgraph));
            #[expect(clippy::disallowed_methods, reason = "it ends with the process")]
            tokio::spawn(async { axum::serve(listener, routes).await });
        }
        Ok(Self {
            addresses,
            requests,
        })
    }

    /// The supergraph with their addresses.
    pub(crate) fn supergraph(&self) -> String {
        let mut text = SUPERGRAPH.to_owned();
        for (before, added) in CATALOGUE {
            text = text.replace(before, &format!("{added}{before}"));
        }
        for (name, address) in &self.addresses {
            text = text.replace(
                &format!("url: \"http://{name}\""),
                &format!("url: \"{address}/\""),
            );
        }
        text
    }

    /// How many requests they had so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn answer(
    State(subgraph): State<Arc<Subgraph>>,
    body: Bytes,
) -> ([(axum::http::HeaderName, &'static str); 1], Bytes) {
    subgraph.requests.fetch_add(1, Ordering::Relaxed);
    let known = subgraph.known.lock().get(&body).cloned();
    let answer = known.unwrap_or_else(|| {
        let answer = Bytes::from(computed(&subgraph.executor, &body).to_string());
        subgraph.known.lock().insert(body, answer.clone());
        answer
    });
    ([(CONTENT_TYPE, "application/json")], answer)
}

fn computed(executor: &Executor, body: &[u8]) -> Json {
    match serde_json::from_slice::<Request>(body) {
        Ok(request) if request.query.contains("catalogue") => catalogue(),
        Ok(request) => executor.execute(&request.query, &request.variables.unwrap_or_default()),
        Err(error) => serde_json::json!({ "errors": [{ "message": error.to_string() }] }),
    }
}

/// Entries of which no two are the same.
fn catalogue() -> Json {
    let entry = |sku: usize| {
        serde_json::json!({
            "sku": sku,
            "name": format!("Entry number {sku}"),
            "description": format!("What there is to say of {sku}: nothing that is said of another one."),
            "price": sku * 7 % 9_973,
            "units": sku % 101,
        })
    };
    let length = entry(10_000).to_string().len() + 1;
    let entries: Vec<Json> = (0..LARGE_BYTES / length).map(entry).collect();
    serde_json::json!({ "data": { "catalogue": entries } })
}
