//! What preparing a document costs that is not in the cache: parsing, checks and planning, for each of the worst
//! documents that the limits let pass. `cargo bench -p federation` prints a row for each; the figure is the least of
//! several runs, which is what its CPU time comes to on a machine that does something else too.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::time::{Duration, Instant};

use federation::{Engine, EngineConfig, GraphRequest, OperationKinds};

#[path = "../tests/it/worst/documents.rs"]
mod documents;
#[path = "../tests/it/idle.rs"]
mod idle;

const SUPERGRAPH: &str = include_str!("../tests/it/toy/supergraph.graphql");
const RUNS: usize = 7;

fn engine() -> Engine {
    let subgraphs = ["catalog", "events", "reviews", "stock"];
    idle::engine(EngineConfig::default(), SUPERGRAPH, &subgraphs)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    println!("{:>9} {:>8}  {:<52} outcome", "ms", "bytes", "document");
    let mut rows = Vec::new();
    for document in documents::documents() {
        let request = GraphRequest {
            query: Some(document.text.clone()),
            operation_name: document.text.contains("query q0").then(|| "q0".to_owned()),
            variables: document.variables.as_object().cloned().unwrap_or_default(),
            ..GraphRequest::default()
        };
        let mut least = Duration::MAX;
        let mut outcome = String::new();
        for _ in 0..RUNS {
            // A new engine each time, so nothing is in its caches.
            let engine = engine();
            let started = Instant::now();
            let prepared = runtime.block_on(engine.prepare(&request, OperationKinds::ALL));
            least = least.min(started.elapsed());
            outcome = match prepared {
                Ok(prepared) => format!("cost {}", prepared.cost()),
                Err(refused) => {
                    let bytes = refused.to_body().len();
                    let count = refused.errors().len();
                    format!("{} ({count} errors, {bytes} B)", refused.code().as_str())
                }
            };
        }
        rows.push((least, document.text.len(), document.name, outcome));
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.0));
    for (took, bytes, name, outcome) in rows {
        let ms = took.as_secs_f64() * 1_000.0;
        println!("{ms:>9.2} {bytes:>8}  {name:<52} {outcome}");
    }
}
