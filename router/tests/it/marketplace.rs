//! The marketplace's own graph: what clients are shown in the documents can be planned, and subgraphs understand it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use federation::subgraph::{FetchError, FetchRequest};
use federation::{
    Engine, EngineConfig, GraphRequest, GraphResponse, GraphqlError, OperationKinds,
    RequestContext, RootFields, Subgraph, Transport,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use crate::executor::Executor;

struct Own;

impl RootFields for Own {
    fn resolve<'a>(
        &'a self,
        field: &'a str,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Json, GraphqlError>> {
        let value = match field {
            "orderEventsCursor" => json!("c"),
            _ => {
                json!({ "cost": 1, "limit": 2, "remaining": 1, "resetAt": "2026-01-01T00:00:00Z" })
            }
        };
        async move { Ok(value) }.boxed()
    }
}

struct Fake(Executor);

impl Subgraph for Fake {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        async move {
            let variables: Map<String, Json> =
                serde_json::from_slice(&request.variables).expect("variables are JSON");
            Ok(Bytes::from(
                self.0.execute(&request.text, &variables).to_string(),
            ))
        }
        .boxed()
    }
}

fn market(data: &Json) -> Engine {
    let sdl = [
        ("cart", schema::sdl::CART),
        ("comments", schema::sdl::COMMENTS),
        ("loms", schema::sdl::LOMS),
    ];
    let fake = |(name, sdl): (&str, &str)| {
        let fake = Fake(Executor::new(sdl, data.clone()));
        (
            name.to_owned(),
            Transport::Custom(Arc::new(fake) as Arc<dyn Subgraph>),
        )
    };
    let subgraphs: BTreeMap<_, _> = sdl.into_iter().map(fake).collect();
    router::engine::start(
        EngineConfig::default(),
        &BTreeMap::new(),
        schema::sdl::SUPERGRAPH,
        router::engine::Subgraphs {
            shop: subgraphs,
            set: BTreeMap::new(),
            events: Arc::new(|| Arc::new(Own)),
            streams: Arc::new(|_| Ok(federation::OwnSubscriptions::default())),
        },
        None,
    )
    .expect("the committed supergraph loads")
}

fn request(query: &str, variables: Json) -> GraphRequest {
    let Json::Object(variables) = variables else {
        panic!("variables are an object")
    };
    GraphRequest {
        query: Some(query.to_owned()),
        variables,
        ..GraphRequest::default()
    }
}

fn context() -> RequestContext {
    RequestContext::anonymous(Instant::now() + Duration::from_secs(30))
}

fn body(response: &GraphResponse) -> Json {
    serde_json::from_slice(&response.body).expect("a body is JSON")
}

fn goods() -> Json {
    let money = json!({ "amount": "10", "currency": "EUR" });
    json!({
        "Query": {
            "me": { "$ref": "User:1" },
            "product": { "$ref": "Product:5" },
            "order": { "$ref": "Order:7" },
            "products": { "nodes": [{ "$ref": "Product:5" }], "edges": [],
                "pageInfo": { "hasNextPage": false, "hasPreviousPage": false } }
        },
        "Mutation": {
            "checkout": { "order": { "$ref": "Order:7" }, "userErrors": [] },
            "addToCart": { "cart": null,
                "userErrors": [{ "code": "OUT_OF_STOCK", "field": ["input", "count"], "message": "no" }] }
        },
        "entities": {
            "User:1": { "id": "1",
                "cart": { "id": "1", "itemCount": 2, "total": money,
                    "lines": [{ "product": { "$ref": "Product:5" }, "count": 2, "total": money }] },
                "orders": { "nodes": [{ "$ref": "Order:7" }], "edges": [], "totalCount": 1,
                    "pageInfo": { "hasNextPage": false, "hasPreviousPage": false } } },
            "Product:5": { "sku": "5", "name": "tea", "price": money,
                "stock": { "available": 3, "total": 5, "reserved": 2 },
                "comments": { "nodes": [{ "$ref": "Comment:9" }], "edges": [], "totalCount": 1,
                    "pageInfo": { "hasNextPage": false, "hasPreviousPage": false } } },
            "Order:7": { "id": "7", "user": { "$ref": "User:1" }, "status": "PAID", "version": 3,
                "total": money, "createdAt": "2026-01-01T00:00:00Z", "history": [],
                "lines": [{ "product": { "$ref": "Product:5" }, "count": 2, "unitPrice": money }] },
            "Comment:9": { "id": "9", "author": { "$ref": "User:1" }, "product": { "$ref": "Product:5" },
                "text": "good", "createdAt": "2026-01-01T00:00:00Z", "editableUntil": "2026-01-01T00:15:00Z" }
        }
    })
}

async fn run(query: &str, variables: Json) -> Json {
    let engine = market(&goods());
    let prepared = engine
        .prepare(&request(query, variables), OperationKinds::ALL)
        .await;
    let prepared = prepared.unwrap_or_else(|error| panic!("{query}: {error}"));
    body(&engine.execute(&prepared, &context()).await)
}

#[tokio::test]
async fn a_page_over_all_subgraphs_is_one_operation() {
    let query = "query Page($first: Int = 3) { me { id
        cart { itemCount lines { count product { name stock { available } } } }
        orders(first: $first) { nodes { status total { amount } lines { unitPrice { amount } product {
            name comments(first: 1) { nodes { text author { id } } } } } } } }
        orderEventsCursor rateLimit { cost remaining } }";
    let answer = run(query, json!({})).await;
    assert!(answer.get("errors").is_none(), "{answer}");
    let me = &answer["data"]["me"];
    assert_eq!(
        me["cart"]["lines"][0]["product"],
        json!({ "name": "tea", "stock": { "available": 3 } })
    );
    let product = &me["orders"]["nodes"][0]["lines"][0]["product"];
    assert_eq!(
        product["comments"]["nodes"][0],
        json!({ "text": "good", "author": { "id": "1" } })
    );
    assert_eq!(answer["data"]["orderEventsCursor"], "c");
    assert_eq!(
        answer["data"]["rateLimit"],
        json!({ "cost": 1, "remaining": 1 })
    );
}

#[tokio::test]
async fn a_checkouts_order_is_completed_by_the_order_service() {
    let query = "mutation Buy($input: CheckoutInput) { checkout(input: $input) {
        order { id status total { amount currency } user { id } } userErrors { code } } }";
    let answer = run(query, json!({ "input": { "idempotencyKey": "k" } })).await;
    let order = json!({ "id": "7", "status": "PAID", "total": { "amount": "10", "currency": "EUR" },
        "user": { "id": "1" } });
    assert_eq!(
        answer,
        json!({ "data": { "checkout": { "order": order, "userErrors": [] } } })
    );
}

#[tokio::test]
async fn a_refusal_is_an_answer() {
    let query = r#"mutation { addToCart(input: { sku: 5, count: 2 }) { cart { id } userErrors { code field message } } }"#;
    let answer = run(query, json!({})).await;
    let error = json!({ "code": "OUT_OF_STOCK", "field": ["input", "count"], "message": "no" });
    assert_eq!(
        answer,
        json!({ "data": { "addToCart": { "cart": null, "userErrors": [error] } } })
    );
}

#[tokio::test]
async fn a_frame_of_an_order_reaches_everything_that_the_order_knows() {
    let engine = market(&goods());
    let query = r#"subscription { orderEvents(orderId: 7) { kind cursor orderId version status at
        order { id total { amount } lines { product { name } } user { id cart { itemCount } } } } }"#;
    let prepared = engine
        .prepare(&request(query, json!({})), OperationKinds::ALL)
        .await
        .unwrap();
    let call = prepared.subscription().unwrap();
    assert_eq!(json!(call.arguments), json!({ "orderId": "7" }));
    let event = json!({ "kind": "CHANGE", "cursor": "x", "orderId": "7", "version": 3, "status": "PAID",
        "at": "2026-01-01T00:00:00Z", "order": { "__typename": "Order", "id": "7" } });
    let answer = body(
        &engine
            .execute_event(&prepared, event, Map::new(), &context())
            .await,
    );
    assert!(answer.get("errors").is_none(), "{answer}");
    let order = &answer["data"]["orderEvents"]["order"];
    assert_eq!(order["lines"][0]["product"]["name"], "tea");
    assert_eq!(order["user"]["cart"]["itemCount"], 2);
}

/// The operations of the playground's tabs, in the order of their files' names.
fn playground() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web/src/operations");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| {
            let text = std::fs::read_to_string(file).expect("a text");
            (file.display().to_string(), text)
        })
        .collect()
}

/// Seen red with a field that the graph does not have.
#[tokio::test]
async fn each_operation_of_the_playground_is_valid_and_only_the_last_is_too_costly() {
    let engine = market(&goods());
    let operations = playground();
    assert_eq!(operations.len(), 10);
    for (index, (file, text)) in operations.iter().enumerate() {
        assert!(
            text.starts_with(&format!("# {}. ", index + 1)),
            "{file} says which one it is"
        );
        let variables = json!({ "key": "k", "orderId": "7" });
        let prepared = engine
            .prepare(&request(text, variables), OperationKinds::ALL)
            .await;
        match prepared {
            Ok(_) => assert!(index < 9, "{file} is let through"),
            Err(error) => assert!(
                index == 9 && error.errors()[0].extensions["limit"] == "cost",
                "{file}: {error}"
            ),
        }
    }
}

#[tokio::test]
async fn the_playground_can_read_the_schema() {
    let answer = run(
        include_str!("../../federation/tests/it/graphiql.graphql"),
        json!({}),
    )
    .await;
    assert!(answer.get("errors").is_none());
    let types = answer["data"]["__schema"]["types"].as_array().unwrap();
    assert!(types.iter().any(|ty| ty["name"] == "OrderEventKind"));
    for ty in types
        .iter()
        .filter(|ty| !ty["name"].as_str().unwrap().starts_with("__"))
    {
        assert!(
            !ty["description"].is_null() || is_root(ty),
            "{} has no description",
            ty["name"]
        );
    }
}

/// Root types come together from all subgraphs, so their text would be one subgraph's accident.
fn is_root(ty: &Json) -> bool {
    ["Query", "Mutation", "Subscription"]
        .iter()
        .any(|name| ty["name"] == *name)
}
