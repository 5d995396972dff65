//! No more is read for a response than it can hold, and its neighbours in a batch get theirs.

use async_graphql::Request;
use chassis::{graphql::ResponseBudget, principal::Scopes};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::shop::{SKU, Shop};

const LINES: &str = "{ orders(first: 30) { nodes { lines { count } } } }";

/// A user with thirty orders of so many lines each, straight into the tables. What thirty fields ask for is one batch on any
/// machine; of more, a slow one makes several.
async fn hoard(shop: &Shop, user: i64, lines: i64) {
    let orders = "insert into orders (user_id, status, version, created_at)
                  select $1, 'failed', 2, now() from generate_series(1, 30)";
    shop.execute(orders, [user.into()]).await;
    let goods = "insert into order_lines (order_id, position, sku, count, unit_price)
                 select id, position, position + 1, 2, 3
                 from orders, generate_series(0, $2 - 1) as position where user_id = $1";
    shop.execute(goods, [user.into(), lines.into()]).await;
}

/// Asks for the user's own entity with so much room for the response.
async fn ask(shop: &Shop, user: i64, selection: &str, budget: u64) -> Value {
    let query = format!(
        r#"{{ _entities(representations: [{{ __typename: "User", id: "{user}" }}]) {{ ... on User {selection} }} }}"#
    );
    let request = Request::new(query)
        .data(shop.principal(user, Scopes::CUSTOMER))
        .data(ResponseBudget(budget));
    serde_json::to_value(shop.subgraph.execute(request).await).unwrap()
}

fn limit(answer: &Value) -> &Value {
    &answer["errors"][0]["extensions"]["limit"]
}

/// A part has three orders of a thousand lines. Seen red with parts that have no end, and with reading on for a response that
/// is over.
#[tokio::test]
async fn lines_are_read_in_parts_and_only_as_long_as_the_response_can_hold_them() {
    let shop = Shop::empty().await;
    hoard(&shop, 1, 1_000).await;
    for (budget, parts) in [(1_000, 1), (8_000, 3)] {
        let (statements, answer) = shop.statements(ask(&shop, 1, LINES, budget)).await;
        assert_eq!(limit(&answer), "response_objects", "{budget}");
        assert_eq!(statements, 1 + parts, "{budget}");
    }
    let (statements, answer) = shop.statements(ask(&shop, 1, LINES, 100_000)).await;
    let orders = &answer["data"]["_entities"][0]["orders"]["nodes"];
    let orders = orders.as_array().unwrap();
    assert_eq!(orders.len(), 30, "{}", answer["errors"]);
    for order in orders {
        assert_eq!(order["lines"].as_array().map(Vec::len), Some(1_000));
    }
    assert_eq!(statements, 1 + 10);
}

/// Seen red with keys that do not tell responses apart, and with reading on for those that are over.
#[tokio::test]
async fn callers_who_ask_for_too_much_take_nothing_from_those_they_share_a_batch_with() {
    let shop = Shop::with_stock(&[(SKU, 10), (1, 10), (2, 10)]).await;
    for user in 1..=4 {
        hoard(&shop, user, 1_000).await;
    }
    // An order that two ask for, of whom one has room for its lines.
    let goods = [(1, 5), (2, 6), (SKU, 7)];
    let order = shop.ordered(9, &goods).await.id;
    let query = format!("{{ order(id: \"{order}\") {{ lines {{ count }} }} }}");
    let lines = |budget| {
        let request = Request::new(&query).data(shop.principal(9, Scopes::CUSTOMER));
        let answer = shop.subgraph.execute(request.data(ResponseBudget(budget)));
        async { serde_json::to_value(answer.await).unwrap() }
    };
    let greedy = join_all((1..=4).map(|user| ask(&shop, user, LINES, 1_000)));
    let all = async { tokio::join!(greedy, lines(2), lines(4)) };
    let (statements, (greedy, cramped, modest)) = shop.statements(all).await;
    for answer in &greedy {
        assert_eq!(limit(answer), "response_objects");
    }
    assert_eq!(limit(&cramped), "response_objects", "{cramped}");
    assert_eq!(
        modest["data"]["order"]["lines"],
        json!([{ "count": 5 }, { "count": 6 }, { "count": 7 }]),
        "{modest}"
    );
    // 120,000 lines would be 40 parts.
    assert!(statements <= 12, "{statements} statements");
}

/// A price is one number, however many lines it is the sum of. Seen red with prices added up from the lines.
#[tokio::test]
async fn the_prices_of_long_orders_are_no_more_than_those_of_short_ones() {
    let shop = Shop::empty().await;
    hoard(&shop, 1, 1_000).await;
    let totals = "{ orders(first: 30) { nodes { total { amount } } } }";
    let (statements, answer) = shop.statements(ask(&shop, 1, totals, 300)).await;
    let orders = &answer["data"]["_entities"][0]["orders"]["nodes"];
    assert_eq!(orders[29]["total"]["amount"], "6000", "{answer}");
    assert_eq!(statements, 2);
}

#[tokio::test]
async fn an_order_with_a_line_without_a_price_has_none() {
    let shop = Shop::empty().await;
    hoard(&shop, 1, 3).await;
    let one = "update order_lines set unit_price = null where order_id = 30 and position = $1";
    shop.execute(one, [1_i32.into()]).await;
    let totals = "{ orders(first: 2) { nodes { total { amount } } } }";
    let answer = ask(&shop, 1, totals, 300).await;
    assert_eq!(
        answer["data"]["_entities"][0]["orders"]["nodes"],
        json!([{ "total": null }, { "total": { "amount": "18" } }])
    );
}

/// Seen red with a page that is read for its list's length alone, and with a statement for each order's buyer.
#[tokio::test]
async fn lists_in_lists_cost_one_statement_and_their_lengths_alone_read_no_page() {
    let shop = Shop::empty().await;
    hoard(&shop, 1, 1).await;
    let length = "{ orders(first: 30) { totalCount } }";
    let (statements, answer) = shop.statements(ask(&shop, 1, length, 10)).await;
    let list = &answer["data"]["_entities"][0]["orders"];
    assert_eq!((statements, &list["totalCount"]), (1, &json!(30)));

    let nested = "{ orders(first: 30) { nodes { user { orders(first: 2) { nodes { id } pageInfo { hasNextPage } } } } } }";
    let (statements, answer) = shop.statements(ask(&shop, 1, nested, 1_000)).await;
    let orders = &answer["data"]["_entities"][0]["orders"]["nodes"];
    assert_eq!(
        orders[29]["user"]["orders"],
        json!({ "nodes": [{ "id": "30" }, { "id": "29" }], "pageInfo": { "hasNextPage": true } }),
        "{answer}"
    );
    assert_eq!(statements, 2);
}

/// Ten pages that differ. Seen red with pages that are read and not counted.
#[tokio::test]
async fn pages_are_read_only_as_long_as_the_response_can_hold_them() {
    let shop = Shop::empty().await;
    hoard(&shop, 1, 1).await;
    let page = |first| format!("p{first}: orders(first: {first}) {{ pageInfo {{ endCursor }} }}");
    let pages: Vec<String> = (21..=30).map(page).collect();
    let selection = format!("{{ {} }}", pages.join(" "));
    let (all, answer) = shop.statements(ask(&shop, 1, &selection, 1_000)).await;
    assert_eq!((all, answer.get("errors")), (10, None));
    let (few, answer) = shop.statements(ask(&shop, 1, &selection, 40)).await;
    assert_eq!(limit(&answer), "response_objects", "{answer}");
    assert_eq!(few, 2);
}
