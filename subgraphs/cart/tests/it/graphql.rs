//! The cart's part of the graph, as the router asks it: the whole service against a real product service, a fake order
//! service and carts in memory.

use std::{collections::BTreeSet, time::Duration};

use async_graphql::{Request, Variables};
use chassis::{graphql::IdempotencyKeyHeader, principal::Scopes};
use serde_json::{Value, json};

use crate::graph::Graph;

/// Contracts §8, cases 1, 6 and 8, in the graph.
#[tokio::test]
async fn a_cart_is_filled_read_and_checked_out() {
    let graph = Graph::start().await;
    graph.add("2956315", 1).await;
    graph.add("1076963", 1).await;
    assert_eq!(
        graph.add("1076963", 5).await,
        json!({"cart": {"itemCount": 7}, "userErrors": []})
    );
    let read = "{ me { id cart { id itemCount total { amount currency } lines {
        count total { amount } product { sku name price { amount } } } } } }";
    let tea = "Теория нравственных чувств | Смит Адам";
    assert_eq!(
        graph.ask(read).await,
        json!({"data": {"me": {"id": "1", "cart": {
        "id": "1", "itemCount": 7, "total": {"amount": "23404", "currency": "RUB"},
        "lines": [
            {"count": 6, "total": {"amount": "20274"},
             "product": {"sku": "1076963", "name": tea, "price": {"amount": "3379"}}},
            {"count": 1, "total": {"amount": "3130"},
             "product": {"sku": "2956315", "name": "Eloy. Time To Turn", "price": {"amount": "3130"}}},
        ]}}}})
    );
    let order = "mutation { checkout { order { id } userErrors { code } } }";
    let answer = json!({"data": {"checkout": {"order": {"id": "1"}, "userErrors": []}}});
    assert_eq!(graph.ask(order).await, answer);
    let empty =
        json!({"data": {"checkout": {"order": null, "userErrors": [{"code": "CART_EMPTY"}]}}});
    assert_eq!(graph.ask(order).await, empty);
    let prices: Vec<_> = graph.loms.orders()[0].iter().map(|line| line.2).collect();
    assert_eq!(prices, [Some(3379), Some(3130)]);
}

/// Contracts §8, cases 2, 4, 5 and 16.
#[tokio::test]
async fn what_the_caller_can_mend_is_a_user_error() {
    let graph = Graph::start().await;
    let refused = async |sku: &str, count, code: &str, field: &str| {
        let answer =
            json!({"cart": null, "userErrors": [{"code": code, "field": ["input", field]}]});
        assert_eq!(graph.add(sku, count).await, answer, "{sku} x {count}");
    };
    for bad in [
        "0",
        "-9223372036854775808",
        "9223372036854775808",
        "tea",
        "",
    ] {
        refused(bad, 1, "INVALID_ARGUMENT", "sku").await;
    }
    for bad in [0, -1] {
        refused("1076963", bad, "INVALID_ARGUMENT", "count").await;
    }
    refused("1076963000", 1, "PRODUCT_NOT_FOUND", "sku").await;
    refused("9223372036854775807", 1, "PRODUCT_NOT_FOUND", "sku").await;
    refused("1076963", 11, "OUT_OF_STOCK", "count").await;
    refused("1148162", 1, "OUT_OF_STOCK", "count").await;
    let absent = r#"mutation { removeFromCart(input: { sku: "5" }) { cart { itemCount } userErrors { code } } }"#;
    let fine = json!({"data": {"removeFromCart": {"cart": {"itemCount": 0}, "userErrors": []}}});
    assert_eq!(graph.ask(absent).await, fine);
    let cleared = graph
        .ask("mutation { clearCart { cart { itemCount } userErrors { code } } }")
        .await;
    assert_eq!(cleared["data"]["clearCart"]["cart"]["itemCount"], 0);
}

/// Of two lines that are short the lower SKU is named.
#[tokio::test]
async fn a_refusal_for_stock_says_of_what_and_how_much_there_is() {
    let graph = Graph::start().await;
    let add = r#"mutation { addToCart(input: { sku: "1076963", count: 11 }) {
        userErrors { message shortage { sku wanted available } } } }"#;
    let answer = graph.ask(add).await;
    let shortage = json!({"sku": "1076963", "wanted": 11, "available": 10});
    let error = &answer["data"]["addToCart"]["userErrors"][0];
    assert_eq!(error["shortage"], shortage, "{answer}");
    let message = "sku 1076963 has too little free stock: 11 asked for, 10 free";
    assert_eq!(error["message"], message);

    graph.add("1076963", 8).await;
    graph.add("2956315", 8).await;
    graph.loms.restock(1_076_963, 3);
    graph.loms.restock(2_956_315, 7);
    let order = "mutation { checkout { order { id } userErrors { code shortage { sku wanted available } } } }";
    let answer = graph.ask(order).await;
    let shortage = json!({"sku": "1076963", "wanted": 8, "available": 3});
    let refused = json!([{"code": "OUT_OF_STOCK", "shortage": shortage}]);
    assert_eq!(
        answer["data"]["checkout"]["userErrors"], refused,
        "{answer}"
    );
    let other = r#"mutation { addToCart(input: { sku: "5", count: 1 }) { userErrors { code shortage { sku } } } }"#;
    let other = graph.ask(other).await;
    let refused = json!([{"code": "PRODUCT_NOT_FOUND", "shortage": null}]);
    assert_eq!(other["data"]["addToCart"]["userErrors"], refused);
}

#[tokio::test]
async fn a_key_in_the_header_or_the_input_makes_a_repeat_harmless() {
    let graph = Graph::start().await;
    let add = |count: u32, input_key: &str| {
        let operation = format!(
            r#"mutation {{ addToCart(input: {{ sku: "1076963", count: {count} {input_key} }}) {{
                cart {{ itemCount }} userErrors {{ code }} }} }}"#
        );
        let request = Request::new(operation).data(IdempotencyKeyHeader(b"k".to_vec()));
        graph.run(request.data(Graph::principal(1, Scopes::CUSTOMER)))
    };
    let made = json!({"data": {"addToCart": {"cart": {"itemCount": 2}, "userErrors": []}}});
    assert_eq!(add(2, "").await, made);
    let mut again = made;
    again["extensions"] = json!({"idempotency": {"replayed": true}});
    assert_eq!(add(2, "").await, again);
    assert_eq!(add(2, r#"idempotencyKey: "k""#).await, again);
    let reused = json!({"cart": null, "userErrors": [{"code": "IDEMPOTENCY_KEY_REUSED"}]});
    assert_eq!(add(3, "").await["data"]["addToCart"], reused);
    assert_eq!(
        add(1, r#"idempotencyKey: "wins""#).await["data"]["addToCart"]["cart"]["itemCount"],
        3
    );
}

/// One rule for all four mutations, whether the key is an argument or a header.
#[tokio::test]
async fn a_key_outside_its_bounds_is_a_user_error() {
    let graph = Graph::start().await;
    let long = "x".repeat(256);
    let mutations = [
        (
            "addToCart",
            "AddToCartInput!",
            json!({"sku": "1076963", "count": 1}),
        ),
        (
            "removeFromCart",
            "RemoveFromCartInput!",
            json!({"sku": "1076963"}),
        ),
        ("clearCart", "ClearCartInput", json!({})),
        ("checkout", "CheckoutInput", json!({})),
    ];
    for (mutation, input_type, input) in mutations {
        let operation = format!(
            "mutation ($input: {input_type}) {{ {mutation}(input: $input) {{ userErrors {{ code field }} }} }}"
        );
        let request = |input: &Value| {
            let variables = Variables::from_json(json!({ "input": input }));
            let me = Graph::principal(1, Scopes::CUSTOMER);
            Request::new(&operation).variables(variables).data(me)
        };
        let refused = json!({"data": {mutation: {"userErrors": [
            {"code": "INVALID_ARGUMENT", "field": ["input", "idempotencyKey"]}]}}});
        for bad in ["", &long, "a\0b"] {
            let mut named = input.clone();
            named["idempotencyKey"] = json!(bad);
            let by_argument = graph.run(request(&named)).await;
            assert_eq!(by_argument, refused, "argument {bad:?}");
            let header = IdempotencyKeyHeader(bad.as_bytes().to_vec());
            let by_header = graph.run(request(&input).data(header)).await;
            assert_eq!(by_header, refused, "header {bad:?}");
        }
    }
}

/// Seen red with `may_read` taken out of `user` and of the entity resolver.
#[tokio::test]
async fn nobody_reaches_anothers_cart() {
    let graph = Graph::start().await;
    graph.add("1076963", 1).await;
    let user_1 = r#"{ user(id: "1") { cart { itemCount } } }"#;
    let entity = r#"query ($r: [_Any!]!) { _entities(representations: $r) { ... on User { cart { itemCount } } } }"#;
    let representations =
        json!({"r": [{"__typename": "User", "id": "1"}, {"__typename": "User", "id": "2"}]});
    let as_user = async |id, scopes| {
        let me = Graph::principal(id, scopes);
        let variables = Variables::from_json(representations.clone());
        let user = graph.run(Request::new(user_1).data(me.clone())).await;
        let entities = graph
            .run(Request::new(entity).variables(variables).data(me))
            .await;
        (
            user["data"]["user"].clone(),
            entities["data"]["_entities"].clone(),
        )
    };
    let (one, none) = (
        json!({"cart": {"itemCount": 1}}),
        json!({"cart": {"itemCount": 0}}),
    );
    assert_eq!(
        as_user(1, Scopes::CUSTOMER).await,
        (one.clone(), json!([one, null]))
    );
    assert_eq!(
        as_user(2, Scopes::CUSTOMER).await,
        (Value::Null, json!([null, none]))
    );
    assert_eq!(
        as_user(9, Scopes::OPS).await,
        (one.clone(), json!([one, none]))
    );
    let me = graph.run(Request::new("{ me { id } }")).await;
    assert_eq!(me["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let anonymous =
        r#"mutation { addToCart(input: { sku: "1076963", count: 1 }) { userErrors { code } } }"#;
    let anonymous = graph.run(Request::new(anonymous)).await;
    assert_eq!(
        anonymous["errors"][0]["extensions"]["code"],
        "UNAUTHENTICATED"
    );
}

#[tokio::test]
async fn the_catalogue_is_paged_by_cursor() {
    let graph = Graph::start().await;
    let mut seen = Vec::new();
    let mut after = "null".to_owned();
    loop {
        let page = graph
            .ask(&format!(
                "{{ products(first: 10, after: {after}) {{ nodes {{ sku }} edges {{ cursor node {{ sku }} }}
                    pageInfo {{ hasNextPage hasPreviousPage endCursor }} }} }}"
            ))
            .await["data"]["products"]
            .clone();
        let nodes = page["nodes"].as_array().unwrap();
        seen.extend(
            nodes
                .iter()
                .map(|node| node["sku"].as_str().unwrap().parse::<i64>().unwrap()),
        );
        assert_eq!(page["pageInfo"]["hasPreviousPage"], after != "null");
        assert_eq!(page["edges"].as_array().unwrap().len(), nodes.len());
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].to_string();
    }
    assert_eq!(seen.len(), ::schema::seed::products().len());
    assert!(seen.is_sorted());
    for bad in ["first: 0", "first: 101", r#"after: "???""#] {
        let answer = graph
            .ask(&format!("{{ products({bad}) {{ nodes {{ sku }} }} }}"))
            .await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "INVALID_ARGUMENT",
            "{bad}"
        );
    }
}

/// One that fails must not take its neighbours down. Seen red with an entity resolver that returns the error.
#[tokio::test]
async fn a_product_that_cannot_be_found_fails_alone() {
    let graph = Graph::start().await;
    let load = async || {
        let operation =
            "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Product { name } } }";
        let skus = ["2956315", "5", "none", "1148162"];
        let representations: Vec<Value> = skus
            .iter()
            .map(|sku| json!({"__typename": "Product", "sku": sku}))
            .collect();
        let variables = Variables::from_json(json!({ "r": representations }));
        graph
            .run(Request::new(operation).variables(variables))
            .await
    };
    let found = load().await;
    assert_eq!(found["data"]["_entities"][0]["name"], "Eloy. Time To Turn");
    assert_eq!(found["data"]["_entities"][1], json!({"name": null}));
    assert_eq!(found["data"]["_entities"][2], Value::Null);
    assert_eq!(found["data"]["_entities"][3]["name"], "Кулинар Гуров");
    // Seen red with a null that nothing explains.
    let errors = found["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{found}");
    assert_eq!(errors[0]["path"], json!(["_entities", 1, "name"]));
    assert_eq!(errors[0]["extensions"]["code"], "PRODUCT_NOT_FOUND");

    graph.products.shutdown(Duration::from_secs(5)).await;
    let known = graph.ask(r#"{ product(sku: "2956315") { name } }"#).await;
    assert_eq!(
        known["data"]["product"]["name"], "Eloy. Time To Turn",
        "remembered"
    );
    let unknown = graph.ask(r#"{ product(sku: "2618151") { name } }"#).await;
    assert_eq!(unknown["errors"][0]["extensions"]["code"], "UNAVAILABLE");
    let operation =
        "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Product { name } } }";
    let variables = Variables::from_json(json!({"r": [
        {"__typename": "Product", "sku": "2618151"}, {"__typename": "Product", "sku": "2956315"}]}));
    let mixed = graph
        .run(Request::new(operation).variables(variables))
        .await;
    assert_eq!(
        mixed["data"]["_entities"],
        json!([null, {"name": "Eloy. Time To Turn"}])
    );
    assert_eq!(mixed["errors"].as_array().map(Vec::len), Some(1));
    assert_eq!(mixed["errors"][0]["path"], json!(["_entities", 0, "name"]));
    assert_eq!(mixed["errors"][0]["extensions"]["code"], "UNAVAILABLE");
}

/// The committed SDL is the one that the code has.
#[test]
fn the_committed_sdl_is_that_of_the_code() {
    assert!(
        cart::sdl().trim_end() == ::schema::sdl::CART.trim_end(),
        "the graph changed: run `make gen` and commit what it writes"
    );
}

#[tokio::test]
async fn everything_in_the_graph_has_a_description() {
    let graph = Graph::start().await;
    let operation = "{ __schema { types { name description
        fields { name description args { name description } }
        inputFields { name description } enumValues { name description } } } }";
    let answer = graph.ask(operation).await;
    let types = answer["data"]["__schema"]["types"].as_array().unwrap();
    // Those of GraphQL itself and of federation.
    let foreign = BTreeSet::from([
        "ID", "Int", "Float", "String", "Boolean", "_Any", "_Service", "_Entity",
    ]);
    let mut bare = Vec::new();
    let is_bare = |item: &Value| item["description"].as_str().unwrap_or_default().is_empty();
    for kind in types {
        let name = kind["name"].as_str().unwrap();
        if name.starts_with("__") || foreign.contains(name) {
            continue;
        }
        if is_bare(kind) {
            bare.push(name.to_owned());
        }
        let lists = ["fields", "inputFields", "enumValues"];
        for item in lists
            .iter()
            .filter_map(|list| kind[list].as_array())
            .flatten()
        {
            let item_name = item["name"].as_str().unwrap();
            let mut args = item["args"].as_array().into_iter().flatten();
            if !item_name.starts_with('_') && (is_bare(item) || args.any(is_bare)) {
                bare.push(format!("{name}.{item_name}"));
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}
