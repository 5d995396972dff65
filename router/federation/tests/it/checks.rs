//! What is refused before anything runs.

use federation::{EngineConfig, GraphRequest, OperationKinds};
use serde_json::{Value as Json, json};

use crate::toy::{Toy, request, shop};

async fn refusal(query: &str, variables: Json) -> (String, String) {
    let toy = Toy::new(&shop());
    let error = toy.prepare(query, variables).await.expect_err(query);
    assert!(toy.calls().is_empty());
    (
        error.code().as_str().to_owned(),
        error.errors()[0].message.clone(),
    )
}

#[tokio::test]
async fn a_text_that_is_not_graphql_is_refused_at_its_place() {
    let toy = Toy::new(&shop());
    let error = toy.prepare("{\n  warehouse(", json!({})).await.unwrap_err();
    assert_eq!(error.code().as_str(), "GRAPHQL_PARSE_FAILED");
    assert_eq!(error.errors()[0].locations[0].line, 2);
}

#[tokio::test]
async fn an_operation_that_does_not_fit_the_schema_is_refused() {
    for query in [
        "{ nothing }",
        "{ product { sku } }",
        "{ sure { secret } }",
        "{ sure }",
        "{ search(filter: { kinds: [SECRET] }) { __typename } }",
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
        r#"subscription { changes(sku: "1") { cursor } b: changes(sku: "1") { cursor } }"#,
    ] {
        assert_eq!(
            refusal(query, json!({})).await.0,
            "GRAPHQL_VALIDATION_FAILED",
            "{query}"
        );
    }
}

#[tokio::test]
async fn of_several_operations_one_must_be_named() {
    let toy = Toy::new(&shop());
    let text = "query A { warehouse } query B { cursor }";
    let with_name = |name: Option<&str>| GraphRequest {
        operation_name: name.map(str::to_owned),
        ..request(text, json!({}))
    };
    for name in [None, Some(""), Some("C")] {
        let error = toy
            .engine
            .prepare(&with_name(name), OperationKinds::ALL)
            .await
            .unwrap_err();
        assert_eq!(error.code().as_str(), "OPERATION_NOT_FOUND", "{name:?}");
    }
    let prepared = toy
        .engine
        .prepare(&with_name(Some("B")), OperationKinds::ALL)
        .await
        .unwrap();
    assert_eq!(prepared.name(), Some("B"));
}

#[tokio::test]
async fn a_kind_that_the_transport_does_not_take_is_refused() {
    let toy = Toy::new(&shop());
    let mutation = request(r#"mutation { drop(sku: "1") { sku } }"#, json!({}));
    let error = toy
        .engine
        .prepare(&mutation, OperationKinds::QUERY)
        .await
        .unwrap_err();
    assert_eq!(error.code().as_str(), "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn every_limit_names_itself_its_value_and_its_setting() {
    let many = |item: &str, count: usize| item.repeat(count);
    let deep = format!(
        "{{ me {} }}",
        many("{ friends ", 12) + "{ id }" + &many("}", 12)
    );
    let cases = [
        (
            "tokens",
            format!("{{ {} }}", many("warehouse ", 2_000)),
            2_001,
        ),
        ("depth", deep, 14),
        (
            "aliases",
            format!(
                "{{ sure {{ {} }} }}",
                (0..31).map(|n| format!("a{n}: sku ")).collect::<String>()
            ),
            31,
        ),
        (
            "directives",
            format!("{{ sure {{ {} }} }}", many("sku @skip(if: true) ", 21)),
            21,
        ),
        (
            "root_fields",
            format!("{{ {} }}", many("warehouse ", 21)),
            21,
        ),
        (
            "cost",
            "{ products(first: 5001) { stock { total } } }".to_owned(),
            10_002,
        ),
    ];
    for (limit, query, value) in cases {
        let toy = Toy::new(&shop());
        let error = toy.prepare(&query, json!({})).await.expect_err(limit);
        assert_eq!(error.code().as_str(), "LIMIT_EXCEEDED", "{limit}: {error}");
        let extensions = &error.errors()[0].extensions;
        assert_eq!(extensions["limit"], limit);
        assert_eq!(extensions["value"], value, "{limit}");
        assert_eq!(
            extensions["setting"],
            format!("router.engine.limits.{limit}")
        );
    }
}

/// A text of a few hundred bytes whose fragments stand for 3^8 fields and more.
#[tokio::test]
async fn fragments_that_blow_up_are_refused_quickly() {
    let mut text = "{ me { ...f0 } }".to_owned();
    for level in 0..8 {
        let inner = format!("...f{}", level + 1);
        text.push_str(&format!(
            " fragment f{level} on User {{ friends {{ {inner} friends {{ {inner} }} }} reviews {{ author {{ {inner} }} }} }}"
        ));
    }
    text.push_str(" fragment f8 on User { id }");
    let mut config = EngineConfig::default();
    config.limits.depth = 100;
    let toy = Toy::with(&shop(), config, None);
    let error = toy.prepare(&text, json!({})).await.unwrap_err();
    assert_eq!(error.errors()[0].extensions["limit"], "fields");
}

#[tokio::test]
async fn the_size_of_a_list_may_come_from_a_variable() {
    let toy = Toy::new(&shop());
    let query = "query($n: Int = 2) { products(first: $n) { stock { total } } }";
    let cost = |prepared: federation::Prepared| prepared.cost();
    assert_eq!(cost(toy.prepare(query, json!({})).await.unwrap()), 4);
    assert_eq!(
        cost(toy.prepare(query, json!({ "n": 10 })).await.unwrap()),
        20
    );
    let error = toy
        .prepare(query, json!({ "n": 100_000 }))
        .await
        .unwrap_err();
    assert_eq!(error.errors()[0].extensions["limit"], "cost");
}

#[tokio::test]
async fn a_filter_of_a_page_costs_a_list_more() {
    let toy = Toy::new(&shop());
    let cost = async |head: &str, arguments: &str, variables: Json| {
        let query =
            format!("query{head} {{ products(first: 2{arguments}) {{ stock {{ total }} }} }}");
        toy.prepare(&query, variables).await.unwrap().cost()
    };
    for place in ["", r#", after: "x""#, ", like: null", ", after: null"] {
        assert_eq!(cost("", place, json!({})).await, 4, "{place}");
    }
    assert_eq!(cost("", r#", like: "x""#, json!({})).await, 14);
    let (head, like) = ("($like: String)", ", like: $like");
    for variables in [json!({}), json!({"like": null})] {
        assert_eq!(cost(head, like, variables).await, 4);
    }
    assert_eq!(cost(head, like, json!({"like": ""})).await, 14);
}

#[tokio::test]
async fn variables_that_do_not_fit_are_refused_each() {
    let toy = Toy::new(&shop());
    let query = "query($a: ID!, $b: Int, $c: Boolean!) {
        product(sku: $a) { sku @include(if: $c) } products(first: $b) { sku } }";
    let error = toy
        .prepare(query, json!({ "b": 3_000_000_000_i64, "c": "yes" }))
        .await
        .unwrap_err();
    assert_eq!(error.code().as_str(), "BAD_VARIABLES");
    assert_eq!(error.errors().len(), 3);
}

#[tokio::test]
async fn a_reload_serves_the_new_graph_and_a_broken_one_changes_nothing() {
    let toy = Toy::new(&shop());
    let before = toy.engine.sdl();
    assert!(toy.engine.reload("type Query {").await.is_err());
    assert_eq!(toy.engine.sdl(), before);
    let renamed = crate::toy::SUPERGRAPH.replace("warehouse: String", "depot: String");
    toy.engine.reload(&renamed).await.unwrap();
    assert!(toy.prepare("{ warehouse }", json!({})).await.is_err());
    assert!(toy.prepare("{ depot }", json!({})).await.is_ok());
}

#[tokio::test]
async fn what_was_asked_most_is_planned_before_a_graph_takes_over() {
    let toy = Toy::new(&shop());
    let query = "query($a: Boolean!) { warehouse @include(if: $a) users { name } }";
    for a in [true, false] {
        toy.prepare(query, json!({ "a": a })).await.unwrap();
    }
    let gone = toy.prepare("{ warehouse }", json!({})).await.unwrap();
    let kept = toy.prepare("{ users { name } }", json!({})).await.unwrap();
    assert!(toy.engine.renew(&kept).await.unwrap().is_none());
    let renamed = crate::toy::SUPERGRAPH.replace("warehouse: String", "depot: String");
    let mut reloads = toy.engine.reloads();
    toy.engine.reload(&renamed).await.unwrap();
    assert!(reloads.has_changed().unwrap());
    reloads.mark_unchanged();
    let refused = toy.engine.renew(&gone).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "GRAPHQL_VALIDATION_FAILED");
    let renewed = toy
        .engine
        .renew(&kept)
        .await
        .unwrap()
        .expect("another graph");
    assert!(toy.engine.renew(&renewed).await.unwrap().is_none());
    let response = toy.engine.execute(&gone, &crate::toy::context()).await;
    assert_eq!(crate::toy::body(&response)["data"]["warehouse"], "north");
}

#[tokio::test]
async fn a_supergraph_that_cannot_be_served_says_what_is_wrong_and_changes_nothing() {
    let toy = Toy::new(&shop());
    let graph = crate::toy::SUPERGRAPH;
    let bad = [
        (String::new(), "parsed"),
        ("<html>".to_owned(), "parsed"),
        ("scalar A".to_owned(), "declares no subgraphs"),
        (
            "type Query { a: String }".to_owned(),
            "declares no subgraphs",
        ),
        (
            graph.replace("graph: CATALOG", "graph: NOWHERE"),
            "planned over",
        ),
        (
            graph.replace("query: Query", "query: Absent"),
            "no query type",
        ),
        (
            graph.replace("query: Query", "query: Media"),
            "no query type",
        ),
        (graph.replace("type Query ", "type Other "), "no query type"),
        (
            graph.replace("name: \"stock\"", "name: \"reviews\""),
            "two subgraphs are named reviews",
        ),
        (
            graph.replace("name: \"stock\"", "name: \"nowhere\""),
            "subgraph nowhere: it has no URL",
        ),
    ];
    for (sdl, words) in bad {
        let refused = toy.engine.reload(&sdl).await.unwrap_err().to_string();
        assert!(refused.contains(words), "{words}: {refused}");
        assert!(toy.prepare("{ warehouse }", json!({})).await.is_ok());
    }
}
