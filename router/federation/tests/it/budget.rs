//! How much a response may really hold, whatever its operation seemed to cost.

use std::sync::Arc;

use federation::EngineConfig;
use serde_json::{Value as Json, json};

use crate::toy::{Toy, Trouble, body, context, shop};

/// A shop whose responses may hold so much.
fn toy(objects: u64, bytes: u64) -> Toy {
    let mut config = EngineConfig::default();
    config.limits.response_objects = objects;
    config.limits.response_bytes = bytes;
    Toy::with(&shop(), config, None)
}

async fn objects(toy: &Toy, query: &str) -> (Json, u64) {
    let prepared = toy.prepare(query, json!({})).await.expect(query);
    let response = toy.engine.execute(&prepared, &context()).await;
    (body(&response), response.objects)
}

fn limit(answer: &Json) -> (&Json, &Json, &Json) {
    assert_eq!(answer["data"], Json::Null, "{answer}");
    assert_eq!(answer["errors"][1], Json::Null, "{answer}");
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "LIMIT_EXCEEDED");
    (
        &extensions["limit"],
        &extensions["max"],
        &extensions["setting"],
    )
}

/// Two users, three reviews with as many products, which come from another subgraph.
const QUERY: &str = "{ users { reviews { product { name } } } }";

/// Seen red with entities counted twice, and with nothing counted.
#[tokio::test]
async fn the_objects_of_a_response_are_counted_while_it_is_fetched() {
    let (whole, count) = objects(&toy(1_000, 1_000_000), QUERY).await;
    assert_eq!(count, 6, "{whole}");
    let (same, _) = objects(&toy(count, 1_000_000), QUERY).await;
    assert_eq!(same, whole);
    for fewer in 1..count {
        let shop = toy(fewer, 1_000_000);
        let (cut, _) = objects(&shop, QUERY).await;
        let setting = json!("router.engine.limits.response_objects");
        assert_eq!(
            limit(&cut),
            (&json!("response_objects"), &json!(fewer), &setting)
        );
        let asked = shop.calls().len();
        assert!(asked <= 2, "what would not fit is not fetched either");
    }
}

/// An entity is fetched once and stands in many places. Seen red with the places left out.
#[tokio::test]
async fn what_stands_in_several_places_counts_in_each() {
    let query = "{ products { reviews { author { name } } } }";
    let (whole, count) = objects(&toy(1_000, 1_000_000), query).await;
    assert_eq!(count, 3 + 2 * 2 * 2, "{whole}");
    assert_eq!(objects(&toy(count, 1_000_000), query).await.0, whole);
    let (cut, _) = objects(&toy(count - 1, 1_000_000), query).await;
    assert_eq!(limit(&cut).0, "response_objects");
}

#[tokio::test]
async fn the_bytes_of_a_response_are_bounded() {
    let (whole, _) = objects(&toy(1_000, 1_000), QUERY).await;
    assert_ne!(whole["data"], Json::Null);
    let (cut, _) = objects(&toy(1_000, 100), QUERY).await;
    assert_eq!(limit(&cut).0, "response_bytes");
    // Few bytes come in here, and many go out.
    let long = "a".repeat(60);
    let wide = format!("{{ users {{ {long}: name {long}b: name {long}c: name }} }}");
    let (cut, _) = objects(&toy(1_000, 300), &wide).await;
    assert_eq!(limit(&cut).0, "response_bytes");
}

/// Lists that a request brings along cost their items, in variables and in the text.
#[tokio::test]
async fn what_a_request_brings_along_costs_too() {
    let toy = Toy::new(&shop());
    let text = "query($k: [Kind!]) { search(filter: { kinds: $k }) { __typename } }";
    let cost = |text: String, variables: Json| {
        let toy = &toy;
        async move { toy.prepare(&text, variables).await.unwrap().cost() }
    };
    let kinds = |count: usize| json!({ "k": vec!["BOOK"; count] });
    assert_eq!(cost(text.to_owned(), kinds(0)).await, 10);
    assert_eq!(cost(text.to_owned(), kinds(500)).await, 510);
    let literal = text
        .replace("($k: [Kind!])", "")
        .replace("$k", "[BOOK, FILM]");
    assert_eq!(cost(literal, json!({})).await, 12);
    let refused = toy.prepare(text, kinds(20_000)).await.unwrap_err();
    assert_eq!(refused.errors()[0].extensions["limit"], "cost");
}

/// A subgraph that was told how much is taken in stops by itself, and what was left is no client's concern. Seen red with its
/// error passed on: it named no limit.
#[tokio::test]
async fn a_subgraph_that_stops_at_its_budget_cuts_the_response_at_the_clients() {
    let stops: Trouble = Arc::new(|call| {
        let error = json!({
            "message": "the response would hold more than 3 objects",
            "extensions": { "code": "LIMIT_EXCEEDED", "limit": "response_objects", "max": 3 },
        });
        (call.subgraph == "reviews").then(|| Ok(json!({ "data": null, "errors": [error] })))
    });
    let mut config = EngineConfig::default();
    config.limits.response_objects = 5;
    let shop = Toy::with(&shop(), config, Some(stops));
    let (cut, spent) = objects(&shop, QUERY).await;
    let setting = json!("router.engine.limits.response_objects");
    assert_eq!(
        limit(&cut),
        (&json!("response_objects"), &json!(5), &setting)
    );
    assert_eq!(spent, 5, "all of it is charged");
}
