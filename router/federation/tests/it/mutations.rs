//! Mutations run their root fields one after another, and twice when asked twice.

use std::sync::Arc;

use federation::EngineConfig;
use federation::subgraph::FetchError;
use serde_json::{Value as Json, json};

use crate::toy::{Toy, Trouble, shop};

/// Seen red with all root fields planned together: reviews of the first were fetched behind the second.
#[tokio::test]
async fn root_fields_run_strictly_one_after_another_entity_fetches_included() {
    let toy = Toy::new(&shop());
    let query = r#"mutation {
        a: rename(sku: "1", name: "x") { best { body } }
        b: setStock(sku: "1", total: 3) { name stock { total } }
        c: drop(sku: "1") { shipping }
    }"#;
    let answer = toy.run(query, json!({})).await;
    let data = json!({ "a": { "best": { "body": "good" } }, "b": { "name": "pen", "stock": { "total": 7 } },
        "c": { "shipping": 6 } });
    assert_eq!(answer, json!({ "data": data }));
    let order: Vec<_> = toy.calls().iter().map(|call| call.subgraph).collect();
    assert_eq!(
        order,
        ["catalog", "reviews", "stock", "catalog", "catalog", "stock"]
    );
}

#[tokio::test]
async fn a_mutation_that_is_written_twice_happens_twice() {
    let toy = Toy::new(&shop());
    let query = r#"mutation { a: drop(sku: "1") { sku } b: drop(sku: "1") { name } }"#;
    let answer = toy.run(query, json!({})).await;
    assert_eq!(
        answer,
        json!({ "data": { "a": { "sku": "1" }, "b": { "name": "pen" } } })
    );
    assert_eq!(toy.calls().len(), 2);
}

#[tokio::test]
async fn a_mutation_reads_its_entities_anew() {
    let toy = Toy::new(&shop());
    let query = r#"mutation { a: drop(sku: "1") { stock { total } } b: drop(sku: "1") { stock { total } } }"#;
    toy.run(query, json!({})).await;
    assert_eq!(
        toy.calls()
            .iter()
            .filter(|call| call.subgraph == "stock")
            .count(),
        2
    );
}

#[tokio::test]
async fn behind_a_field_that_fails_and_must_not_nothing_runs() {
    let trouble: Trouble = Arc::new(|call| {
        (call.subgraph == "stock").then(|| Err(FetchError::Lost("closed".to_owned())))
    });
    let toy = Toy::with(&shop(), EngineConfig::default(), Some(trouble));
    let query = r#"mutation { setStock(sku: "1", total: 1) { sku } drop(sku: "1") { sku } }"#;
    let answer = toy.run(query, json!({})).await;
    assert_eq!(answer["data"], Json::Null);
    // One attempt and no more: it may have happened, and has no key.
    assert_eq!(toy.calls().len(), 1);
}
