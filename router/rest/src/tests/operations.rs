//! The shim's operations against the committed supergraph: all are planned, and none leaves its own subgraph.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use federation::{
    Engine, EngineConfig, GraphRequest, GraphqlError, Host, OperationKinds, RequestContext,
    RootFields, Subgraph, Transport,
    subgraph::{FetchError, FetchRequest},
};
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::super::{cart, comments, graph::Operation, loms};

struct Nobody;

impl Subgraph for Nobody {
    fn fetch<'a>(
        &'a self,
        _: FetchRequest,
        _: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        Box::pin(async { Err(FetchError::BreakerOpen) })
    }
}

impl RootFields for Nobody {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
        _: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Value, GraphqlError>> {
        Box::pin(async { Ok(Value::Null) })
    }
}

fn engine() -> Engine {
    let transport = |name: &str| (name.to_owned(), Transport::Custom(Arc::new(Nobody)));
    let mut subgraphs = BTreeMap::from(["cart", "loms", "comments"].map(transport));
    subgraphs.insert("events".to_owned(), Transport::Fields(Arc::new(Nobody)));
    let sdl = schema::sdl::SUPERGRAPH;
    Engine::new(EngineConfig::default(), sdl, subgraphs, Host::default()).unwrap()
}

/// Variables that fit an operation, whichever it is.
fn variables(operation: &Operation) -> Map<String, Value> {
    let line = json!({"sku": "1", "count": 1});
    let input = match operation.name {
        "RestAddToCart" => line,
        "RestRemoveFromCart" => json!({"sku": "1"}),
        "RestCreateOrder" => json!({"lines": [line]}),
        "RestPayOrder" | "RestCancelOrder" => json!({"orderId": "1"}),
        "RestAddComment" => json!({"sku": "1", "text": "t"}),
        "RestEditComment" => json!({"id": "1", "text": "t"}),
        _ => Value::Null,
    };
    let all = json!({"input": input, "id": "1", "sku": "1", "first": 100, "after": null});
    let Value::Object(all) = all else {
        unreachable!("an object is written above")
    };
    let used = |name: &String| operation.text.contains(&format!("${name}:"));
    all.into_iter().filter(|(name, _)| used(name)).collect()
}

/// A price that is not asked for is not looked up: an add asks cart alone, an order's info LOMS alone.
#[tokio::test]
async fn every_operation_is_planned_over_the_committed_supergraph_and_asks_as_few_as_can_be() {
    let engine = engine();
    let surfaces = [
        (cart::OPERATIONS, &["cart"][..]),
        (loms::OPERATIONS, &["loms"][..]),
        (comments::OPERATIONS, &["comments"][..]),
    ];
    for (operations, own) in surfaces {
        for operation in operations {
            let request = GraphRequest {
                query: Some(operation.text.to_owned()),
                variables: variables(operation),
                ..GraphRequest::default()
            };
            let prepared = engine
                .prepare(&request, OperationKinds::QUERY_OR_MUTATION)
                .await;
            let prepared = prepared.unwrap_or_else(|error| panic!("{}: {error}", operation.name));
            assert_eq!(prepared.name(), Some(operation.name));
            let plan = engine.explain(&prepared);
            for other in ["cart", "loms", "comments"]
                .iter()
                .filter(|name| !own.contains(name))
            {
                let expected = operation.name == "RestCommentsByUser" && *other == "cart";
                let fetched = plan.contains(&format!("  {other}: "));
                assert_eq!(fetched, expected, "{}: {plan}", operation.name);
            }
        }
    }
}
