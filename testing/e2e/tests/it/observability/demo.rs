//! A small load that touches everything a board shows: buyers, refusals, comments, watchers, REST and gRPC clients.

use serde_json::{Value, json};

use crate::shop::{Shop, new_user};
use crate::subscription::Subscription;

const SKU: &str = "1076963";

/// Streams that stay open during the demo.
pub(super) struct Watchers(
    #[expect(dead_code, reason = "dropping them closes the streams")] Vec<Subscription>,
);

/// Opens a stream of each root field.
pub(super) async fn watch(shop: &Shop) -> Watchers {
    let operator = shop.token(new_user(), true).await;
    let data = shop.graphql(&operator, CREATE, json!({"sku": SKU})).await;
    let id = data["createOrder"]["order"]["id"].clone();
    let mut open = Vec::new();
    for (query, variables) in [
        (
            "subscription($id: ID!) { orderEvents(orderId: $id) { kind } }",
            json!({"id": id}),
        ),
        ("subscription { myOrderEvents { kind } }", json!({})),
        (
            "subscription { allOrderEvents { kind order { id } } }",
            json!({}),
        ),
    ] {
        open.push(Subscription::open(shop, &operator, query, variables).await);
    }
    Watchers(open)
}

const CREATE: &str =
    "mutation($sku: ID!) { createOrder(input: {lines: [{sku: $sku, count: 1}]}) { order { id } } }";

/// One buyer's whole visit, its refusals included.
pub(super) async fn visit(shop: &Shop) {
    let user = new_user();
    let token = shop.token(user, false).await;
    for (query, variables) in [
        (
            "{ products(first: 3) { nodes { sku name stock { available } } } }",
            json!({}),
        ),
        (
            "mutation($sku: ID!) { addToCart(input: {sku: $sku, count: 1}) { userErrors { code } } }",
            json!({"sku": SKU}),
        ),
        (
            "mutation { checkout(input: {idempotencyKey: \"demo\"}) { order { id } userErrors { code } } }",
            json!({}),
        ),
        (
            "mutation { checkout(input: {idempotencyKey: \"demo\"}) { order { id } userErrors { code } } }",
            json!({}),
        ),
        ("mutation { checkout { userErrors { code } } }", json!({})),
    ] {
        shop.graphql(&token, query, variables).await;
    }
    for change in ["payOrder", "cancelOrder"] {
        let order = shop.graphql(&token, CREATE, json!({"sku": SKU})).await;
        let id = order["createOrder"]["order"]["id"].clone();
        let query = format!(
            "mutation($id: ID!) {{ {change}(input: {{orderId: $id}}) {{ userErrors {{ code }} }} }}"
        );
        shop.graphql(&token, &query, json!({"id": id})).await;
    }
    comment(shop, &token).await;
    refusals(shop, &token).await;
    rest(shop, user).await;
}

async fn comment(shop: &Shop, token: &str) {
    let add = "mutation($sku: ID!) { addComment(input: {sku: $sku, text: \"fits\"}) { comment { id } userErrors { code } } }";
    let added = shop.graphql(token, add, json!({"sku": SKU})).await;
    let id = added["addComment"]["comment"]["id"].clone();
    let edit = "mutation($id: ID!) { editComment(input: {id: $id, text: \"fits well\"}) { userErrors { code } } }";
    shop.graphql(token, edit, json!({"id": id})).await;
}

/// What is refused: an unknown field, somebody else's order, more than there is, and an operation never seen before.
async fn refusals(shop: &Shop, token: &str) {
    let fresh = format!("{{ me {{ alias{}: id }} }}", new_user());
    for query in ["{ nope }", "{ orders { totalCount } }", fresh.as_str()] {
        let answer: Option<Value> = shop.try_graphql(token, query, json!({})).await;
        assert!(answer.is_some(), "{query}");
    }
    let many = "mutation($sku: ID!) { createOrder(input: {lines: [{sku: $sku, count: 65535}]}) { userErrors { code } } }";
    shop.graphql(token, many, json!({"sku": SKU})).await;
}

async fn rest(shop: &Shop, user: i64) {
    let add = format!("{}/user/{user}/cart/{SKU}", shop.url(8080));
    shop.http()
        .post(add)
        .json(&json!({"count": 1}))
        .send()
        .await
        .unwrap();
    for path in [
        format!("{}/user/{user}/cart", shop.url(8080)),
        format!("{}/order/info?orderId=1", shop.url(8081)),
        format!("{}/stock/info?sku={SKU}", shop.url(8081)),
    ] {
        shop.http().get(path).send().await.unwrap();
    }
}
