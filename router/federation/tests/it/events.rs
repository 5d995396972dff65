//! Subscriptions: the call behind one, and events completed with entities.

use federation::OperationKind;
use serde_json::{Map, json};

use crate::toy::{Toy, body, context, shop};

#[tokio::test]
async fn a_subscription_names_its_stream_and_its_coerced_arguments() {
    let toy = Toy::new(&shop());
    let query = "subscription S($sku: ID!) { news: changes(sku: $sku) { cursor } }";
    let prepared = toy.prepare(query, json!({ "sku": 5 })).await.unwrap();
    assert_eq!(
        (prepared.kind(), prepared.name()),
        (OperationKind::Subscription, Some("S"))
    );
    let call = prepared.subscription().unwrap();
    assert_eq!((&*call.field, &*call.response_key), ("changes", "news"));
    assert_eq!(
        json!(call.arguments),
        json!({ "sku": "5", "after": "start" })
    );
}

#[tokio::test]
async fn an_event_is_completed_with_whatever_the_graph_knows() {
    let toy = Toy::new(&shop());
    let query = r#"subscription { news: changes(sku: "1") { at: cursor version
        product { sku name stock { total } best { author { name } } } } }"#;
    let prepared = toy.prepare(query, json!({})).await.unwrap();
    let event = json!({ "cursor": "c1", "version": 4, "extra": true,
        "product": { "__typename": "Product", "sku": "1" } });
    let answer = body(
        &toy.engine
            .execute_event(&prepared, event, Map::new(), &context())
            .await,
    );
    let product = json!({ "sku": "1", "name": "pen", "stock": { "total": 7 },
        "best": { "author": { "name": "Una" } } });
    let data = json!({ "news": { "at": "c1", "version": 4, "product": product } });
    assert_eq!(answer, json!({ "data": data }));
    assert!(
        toy.calls()
            .iter()
            .all(|call| call.text.contains("_entities"))
    );
}

#[tokio::test]
async fn an_event_without_an_entity_asks_nobody() {
    let toy = Toy::new(&shop());
    let query = r#"subscription { changes(sku: "1") { cursor product { name } } }"#;
    let prepared = toy.prepare(query, json!({})).await.unwrap();
    let event = json!({ "cursor": "c1", "product": null });
    let answer = body(
        &toy.engine
            .execute_event(&prepared, event, Map::new(), &context())
            .await,
    );
    assert_eq!(
        answer,
        json!({ "data": { "changes": { "cursor": "c1", "product": null } } })
    );
    assert!(toy.calls().is_empty());
}

#[tokio::test]
async fn extensions_of_the_caller_stand_in_the_response_of_an_event() {
    let toy = Toy::new(&shop());
    let query = r#"subscription { changes(sku: "1") { cursor } }"#;
    let prepared = toy.prepare(query, json!({})).await.unwrap();
    let extensions = Map::from_iter([("cursor".to_owned(), json!("c1"))]);
    let event = json!({ "cursor": "c1" });
    let response = toy
        .engine
        .execute_event(&prepared, event, extensions, &context())
        .await;
    assert_eq!(
        response.body,
        r#"{"data":{"changes":{"cursor":"c1"}},"extensions":{"cursor":"c1"}}"#
    );
}
