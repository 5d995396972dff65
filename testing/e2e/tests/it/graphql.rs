//! The user of the graph: browses, fills a cart, checks out, pays, reads back.

use serde_json::json;

use crate::shop::{Shop, new_user};

/// On sale and in stock. Source: docs/contracts.md §4 and §5.
const SKU: &str = "1076963";

const ADD: &str = "mutation($sku: ID!, $count: Int!) {
    addToCart(input: {sku: $sku, count: $count}) {
        cart { itemCount total { amount } lines { count product { sku name stock { available } } } }
        userErrors { code field message }
    }
}";

#[tokio::test]
async fn a_buyer_browses_fills_a_cart_checks_out_pays_and_sees_the_history() {
    let shop = Shop::shared().await;
    let token = shop.token(new_user(), false).await;

    let browse = "{ products(first: 5) { nodes { sku name price { amount currency } stock { available } } } }";
    let data = shop.graphql(&token, browse, json!({})).await;
    assert_eq!(
        data["products"]["nodes"].as_array().unwrap().len(),
        5,
        "{data}"
    );

    let data = shop
        .graphql(&token, ADD, json!({"sku": SKU, "count": 2}))
        .await;
    assert_eq!(data["addToCart"]["userErrors"], json!([]), "{data}");
    assert_eq!(data["addToCart"]["cart"]["itemCount"], 2);
    assert_eq!(data["addToCart"]["cart"]["total"]["amount"], "6758"); // 2 x 3379

    let checkout = "mutation { checkout { order { id status version total { amount } } userErrors { code } } }";
    let data = shop.graphql(&token, checkout, json!({})).await;
    let order = &data["checkout"]["order"];
    assert_eq!(order["status"], "AWAITING_PAYMENT", "{data}");
    assert_eq!(order["total"]["amount"], "6758");

    let pay = "mutation($id: ID!) { payOrder(input: {orderId: $id}) { order { status version } userErrors { code } } }";
    let data = shop.graphql(&token, pay, json!({"id": order["id"]})).await;
    assert_eq!(
        data["payOrder"]["order"],
        json!({"status": "PAID", "version": 3})
    );

    let mine = "{ me { cart { itemCount } orders { totalCount nodes {
        id lines { count unitPrice { amount } product { name } } history { status version } } } } }";
    let data = shop.graphql(&token, mine, json!({})).await;
    assert_eq!(data["me"]["cart"]["itemCount"], 0);
    assert_eq!(data["me"]["orders"]["totalCount"], 1);
    let found = &data["me"]["orders"]["nodes"][0];
    assert_eq!(found["id"], order["id"]);
    assert_eq!(found["lines"][0]["unitPrice"]["amount"], "3379");
    assert!(found["lines"][0]["product"]["name"].is_string(), "{data}");
    let history: Vec<_> = found["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| &change["status"])
        .collect();
    assert_eq!(history, ["NEW", "AWAITING_PAYMENT", "PAID"]);
}

#[tokio::test]
async fn another_buyers_order_looks_like_a_missing_one() {
    let shop = Shop::shared().await;
    let (owner, stranger) = (
        shop.token(new_user(), false).await,
        shop.token(new_user(), false).await,
    );
    let create = "mutation($sku: ID!) { createOrder(input: {lines: [{sku: $sku, count: 1}]}) { order { id } userErrors { code } } }";
    let data = shop.graphql(&owner, create, json!({"sku": SKU})).await;
    let id = &data["createOrder"]["order"]["id"];
    let order = "query($id: ID!) { order(id: $id) { id status } }";
    assert!(shop.graphql(&owner, order, json!({"id": id})).await["order"].is_object());
    assert!(shop.graphql(&stranger, order, json!({"id": id})).await["order"].is_null());
    assert!(
        shop.graphql(&stranger, order, json!({"id": "9007199254740993"}))
            .await["order"]
            .is_null()
    );
}

#[tokio::test]
async fn what_a_buyer_can_mend_comes_in_user_errors() {
    let shop = Shop::shared().await;
    let token = shop.token(new_user(), false).await;
    for (sku, count, code) in [
        ("1", 1, "PRODUCT_NOT_FOUND"),
        (SKU, 100_000, "OUT_OF_STOCK"),
        (SKU, 0, "INVALID_ARGUMENT"),
    ] {
        let data = shop
            .graphql(&token, ADD, json!({"sku": sku, "count": count}))
            .await;
        assert_eq!(
            data["addToCart"]["userErrors"][0]["code"], code,
            "{sku} x {count}: {data}"
        );
    }
    let data = shop
        .graphql(
            &token,
            "mutation { checkout { userErrors { code } } }",
            json!({}),
        )
        .await;
    assert_eq!(data["checkout"]["userErrors"][0]["code"], "CART_EMPTY");
}

/// A router that checks the header by a rule of its own answers a top-level error here.
#[tokio::test]
async fn a_bad_idempotency_key_is_refused_alike_by_every_mutation_and_edge() {
    let shop = Shop::shared().await;
    let token = shop.token(new_user(), false).await;
    let mutations = [
        ("addToCart", r#"sku: "1076963", count: 1"#),
        ("removeFromCart", r#"sku: "1076963""#),
        ("clearCart", ""),
        ("checkout", ""),
        ("createOrder", r#"lines: [{sku: "1076963", count: 1}]"#),
        ("payOrder", r#"orderId: "1""#),
        ("addComment", r#"sku: "1076963", text: "fits""#),
    ];
    let long = "x".repeat(256);
    for (mutation, input) in mutations {
        let ask = "mutation($key: String) { MUTATION(input: {INPUT idempotencyKey: $key}) { userErrors { code field } } }";
        let by_argument = ask.replace("MUTATION", mutation).replace("INPUT", input);
        for key in ["", "a\0b", &long] {
            let data = shop
                .graphql(&token, &by_argument, json!({"key": key}))
                .await;
            assert_refused(&data[mutation], mutation);
        }
        let ask = "mutation { MUTATION(input: {INPUT}) { userErrors { code field } } }";
        let by_header = ask.replace("MUTATION", mutation).replace("INPUT", input);
        for key in ["", &long] {
            let data = shop.graphql_with_key(&token, &by_header, key).await;
            assert_refused(&data[mutation], mutation);
        }
    }
}

fn assert_refused(payload: &serde_json::Value, mutation: &str) {
    let expected = json!([{"code": "INVALID_ARGUMENT", "field": ["input", "idempotencyKey"]}]);
    assert_eq!(payload["userErrors"], expected, "{mutation}");
}

#[tokio::test]
async fn a_comment_shows_under_its_product() {
    let shop = Shop::shared().await;
    let token = shop.token(new_user(), false).await;
    let text = format!("fits well {}", new_user());
    let add = "mutation($sku: ID!, $text: String!) {
        addComment(input: {sku: $sku, text: $text}) { comment { id text } userErrors { code } } }";
    let data = shop
        .graphql(&token, add, json!({"sku": SKU, "text": text}))
        .await;
    assert_eq!(data["addComment"]["comment"]["text"], text, "{data}");
    let read =
        "query($sku: ID!) { product(sku: $sku) { name comments(first: 1) { nodes { text } } } }";
    let data = shop.graphql(&token, read, json!({"sku": SKU})).await;
    assert_eq!(
        data["product"]["comments"]["nodes"][0]["text"], text,
        "{data}"
    );
}
