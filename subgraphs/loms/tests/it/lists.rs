//! Lists of orders as connections.

use serde_json::{Value, json};

use crate::shop::{SKU, Shop, buyer};

const PAGE: &str = "query($r: [_Any!]!, $first: Int, $after: String) { _entities(representations: $r) { ... on User {
    orders(first: $first, after: $after) {
        nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } } } }";

fn page(of: i64, first: i64, after: Option<&str>) -> Value {
    json!({ "r": [{ "__typename": "User", "id": of.to_string() }], "first": first, "after": after })
}

#[tokio::test]
async fn a_list_goes_on_behind_its_cursor_newest_first() {
    let shop = Shop::with_stock(&[(SKU, 100)]).await;
    for _ in 0..5 {
        shop.ordered(1, &[(SKU, 1)]).await;
    }
    shop.ordered(2, &[(SKU, 1)]).await;
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    for (nodes, next, previous) in [(2, true, false), (2, true, true), (1, false, true)] {
        let answer = shop.ask(1, PAGE, page(1, 2, after.as_deref())).await;
        let list = &answer["data"]["_entities"][0]["orders"];
        let ids = list["nodes"].as_array().unwrap();
        assert_eq!(ids.len(), nodes, "{answer}");
        assert_eq!(list["pageInfo"]["hasNextPage"], next);
        assert_eq!(list["pageInfo"]["hasPreviousPage"], previous);
        assert_eq!(list["totalCount"], 5);
        seen.extend(
            ids.iter()
                .map(|node| node["id"].as_str().unwrap().to_owned()),
        );
        after = list["pageInfo"]["endCursor"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, ["5", "4", "3", "2", "1"]);
}

#[tokio::test]
async fn another_users_list_looks_empty_but_not_to_an_operator() {
    let shop = Shop::with_stock(&[(SKU, 100)]).await;
    shop.ordered(2, &[(SKU, 1)]).await;
    let hidden = shop.ask(1, PAGE, page(2, 10, None)).await;
    let list = &hidden["data"]["_entities"][0]["orders"];
    assert_eq!(
        (&list["nodes"], &list["totalCount"]),
        (&json!([]), &json!(0)),
        "{hidden}"
    );
    let seen = shop.ask_ops(PAGE, page(2, 10, None)).await;
    assert_eq!(seen["data"]["_entities"][0]["orders"]["totalCount"], 1);
}

#[tokio::test]
async fn all_orders_are_for_operators_and_can_be_filtered() {
    let shop = Shop::with_stock(&[(SKU, 100)]).await;
    let order = shop.ordered(1, &[(SKU, 1)]).await;
    shop.ordered(2, &[(SKU, 1)]).await;
    shop.orders.pay(&buyer(1), order.id).await.unwrap();
    let query =
        "query($status: OrderStatus) { orders(status: $status) { nodes { id } totalCount } }";
    let refused = shop.ask(1, query, json!({})).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let all = shop.ask_ops(query, json!({})).await;
    assert_eq!(
        all["data"]["orders"],
        json!({ "nodes": [{ "id": "2" }, { "id": "1" }], "totalCount": 2 })
    );
    let paid = shop.ask_ops(query, json!({ "status": "PAID" })).await;
    assert_eq!(
        paid["data"]["orders"],
        json!({ "nodes": [{ "id": "1" }], "totalCount": 1 })
    );
}

#[tokio::test]
async fn a_page_has_1_to_100_orders_and_a_cursor_of_ours() {
    let shop = Shop::empty().await;
    for variables in [
        page(1, 0, None),
        page(1, 101, None),
        page(1, 10, Some("nonsense")),
    ] {
        let answer = shop.ask(1, PAGE, variables).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "INVALID_ARGUMENT",
            "{answer}"
        );
    }
}

/// The count runs only when selected, and neither lines nor history cost a statement an order.
#[tokio::test]
async fn statements_of_a_page_do_not_depend_on_its_length() {
    let shop = Shop::with_stock(&[(SKU, 100)]).await;
    for _ in 0..30 {
        shop.ordered(1, &[(SKU, 1)]).await;
    }
    let query = "query($first: Int) { orders(first: $first) { nodes { lines { count } history { version } } } }";
    let (one, _) = shop
        .statements(shop.ask_ops(query, json!({ "first": 1 })))
        .await;
    let (thirty, answer) = shop
        .statements(shop.ask_ops(query, json!({ "first": 30 })))
        .await;
    assert_eq!((one, thirty), (3, 3), "{answer}");
}
