//! What an event costs its subgraphs, however many look on; and that those who look on take nothing from those who buy.

use std::time::Duration;

use chassis::principal::Scopes;
use futures::future::join_all;
use schema::event::OrderStatus;
use serde_json::{Value, json};

use super::{
    client::{Frame, Sse},
    shop::Shop,
};

const MINE: &str =
    "subscription { myOrderEvents { version order { id lines { product { name } } } } }";
const ALL: &str =
    "subscription { allOrderEvents { version order { id lines { product { name } } } } }";
const ORDER: &str =
    r#"subscription { orderEvents(orderId: "7") { version order { id version } } }"#;
const STOCK: &str = r#"subscription { orderEvents(orderId: "7") { version order { lines { product { stock { total } } } } } }"#;

fn order(frame: &Frame) -> &Value {
    let data = frame.data["data"].as_object();
    let event = data.and_then(|data| data.values().next());
    &event.expect("a field")["order"]
}

fn ops(shop: &Shop, user: i64) -> String {
    shop.token_for(user, Scopes::OPS, Duration::from_secs(600))
}

/// Seen red with the caller's own rights for each stream.
#[tokio::test]
async fn an_event_is_one_fetch_a_subgraph_for_all_who_ask_the_same() {
    const STREAMS: i64 = 500;
    let shop = Shop::start().await;
    let mut streams = Vec::new();
    for number in 0..STREAMS {
        let token = ops(&shop, 1 + number % 7);
        streams.push(Sse::open(&shop, &token, ALL, None).await);
    }
    for version in 1..=3 {
        shop.change(7, 1, OrderStatus::New).await;
        for stream in &mut streams {
            let frame = stream.next().await.expect("a frame");
            let name = &order(&frame)["lines"][0]["product"]["name"];
            assert_eq!((frame.version(), name), (version, &json!("product 70")));
        }
        let mut calls = shop.orders.take_calls();
        calls.sort_unstable();
        assert_eq!(calls, [("cart", 1), ("loms", 1)], "event {version}");
    }
    drop(streams);
    shop.stop().await;
}

/// Seen red with a call for each fetch that waits.
#[tokio::test]
async fn events_of_distinct_users_that_come_together_share_calls() {
    const USERS: i64 = 100;
    let shop = Shop::start().await;
    let mut streams = Vec::new();
    for user in 1..=USERS {
        streams.push(Sse::open(&shop, &shop.token(user), MINE, None).await);
    }
    // Below what counts as slow, so that the next call of the kind waits for it.
    shop.orders.slow_entities(Duration::from_millis(40));
    let changes = (1..=USERS).map(|user| shop.change(1_000 + user, user, OrderStatus::New));
    join_all(changes).await;
    for (user, stream) in (1..).zip(&mut streams) {
        let frame = stream.next().await.expect("a frame");
        assert_eq!(order(&frame)["id"], json!((1_000 + user).to_string()));
        let name = format!("product {}", (1_000 + user) * 10);
        assert_eq!(order(&frame)["lines"][0]["product"]["name"], json!(name));
    }
    let calls = shop.orders.take_calls();
    for subgraph in ["loms", "cart"] {
        let of_it = calls.iter().filter(|(name, _)| *name == subgraph);
        let asked: Vec<_> = of_it.map(|(_, asked)| *asked).collect();
        assert_eq!(asked.iter().sum::<usize>(), 100, "{subgraph}: {asked:?}");
        assert!(asked.len() <= 30, "{subgraph}: {asked:?}");
    }
    drop(streams);
    shop.stop().await;
}

/// Meant against the router's own rights for every field: the buyer read the operator's number.
#[tokio::test]
async fn what_only_an_operator_may_see_stays_with_operators() {
    let shop = Shop::start().await;
    shop.change(7, 1, OrderStatus::New).await;
    let (buyer, operator) = (shop.token(1), ops(&shop, 9));
    let mut streams = Vec::new();
    for token in [&buyer, &operator, &buyer, &operator] {
        streams.push(Sse::open(&shop, token, STOCK, None).await);
    }
    for round in 1..=3 {
        for (number, stream) in streams.iter_mut().enumerate() {
            let frame = stream.next().await.expect("a frame");
            let total = &order(&frame)["lines"][0]["product"]["stock"]["total"];
            let expected = if number % 2 == 0 {
                (&Value::Null, "FORBIDDEN")
            } else {
                (&json!(70), "")
            };
            assert_eq!((total, frame.code()), expected, "round {round}: {frame:?}");
        }
        shop.change(7, 1, OrderStatus::AwaitingPayment).await;
    }
    drop(streams);
    shop.stop().await;
}

/// The order looks the same to its owner and to an operator, and nobody else's stream ever opens.
#[tokio::test]
async fn an_owner_and_an_operator_share_what_belongs_to_the_order() {
    let shop = Shop::start().await;
    shop.change(7, 1, OrderStatus::New).await;
    let mut streams = Vec::new();
    for token in [shop.token(1), ops(&shop, 9)] {
        let mut stream = Sse::open(&shop, &token, ORDER, None).await;
        stream.next().await.expect("a snapshot");
        streams.push(stream);
    }
    shop.orders.take_calls();
    shop.change(7, 1, OrderStatus::Paid).await;
    for stream in &mut streams {
        let frame = stream.next().await.expect("a frame");
        assert_eq!(order(&frame)["version"], 2, "{frame:?}");
    }
    assert_eq!(shop.orders.take_calls(), [("loms", 1)]);
    let mut other = Sse::open(&shop, &shop.token(2), ORDER, None).await;
    let refused = other.next().await.expect("a refusal");
    assert_eq!(refused.code(), "NOT_FOUND", "{refused:?}");
    drop((streams, other));
    shop.stop().await;
}

/// A client that resumes by a variable is like the others but for its cursor.
#[tokio::test]
async fn the_cursor_among_the_variables_parts_no_group() {
    const AFTER: &str = "subscription($after: Cursor) { allOrderEvents(after: $after) { version cursor order { id version } } }";
    let shop = Shop::start().await;
    let token = ops(&shop, 1);
    let mut first = Sse::open(&shop, &token, AFTER, None).await;
    let mut cursors = Vec::new();
    for _ in 0..4 {
        shop.change(7, 1, OrderStatus::New).await;
        cursors.push(first.next().await.expect("a frame").id);
    }
    let mut streams = vec![first];
    for (behind, cursor) in (1..4).rev().zip(&cursors) {
        let variables = json!({ "after": cursor });
        let mut stream = Sse::open_with(&shop, &token, AFTER, &variables).await;
        stream.take(behind).await;
        streams.push(stream);
    }
    shop.orders.take_calls();
    shop.change(7, 1, OrderStatus::Paid).await;
    for stream in &mut streams {
        let frame = stream.next().await.expect("a frame");
        assert_eq!(frame.version(), 5, "{frame:?}");
    }
    assert_eq!(shop.orders.take_calls(), [("loms", 1)]);
    drop(streams);
    shop.stop().await;
}

/// Meant against fetches of frames that take the way of all others.
#[tokio::test]
async fn a_crowd_that_watches_has_a_few_calls_of_its_own_and_buyers_are_served_meanwhile() {
    const WATCHERS: i64 = 60;
    let shop = Shop::with(|config| config.stream.frame_calls_max = 2).await;
    let mut streams = Vec::new();
    for user in 1..=WATCHERS {
        // With its own rights, so that no two share anything.
        let text = STOCK.replace('7', &user.to_string());
        shop.change(user, user, OrderStatus::New).await;
        let mut stream = Sse::open(&shop, &shop.token(user), &text, None).await;
        stream.next().await.expect("a snapshot");
        streams.push(stream);
    }
    shop.orders.slow_entities(Duration::from_millis(60));
    join_all((1..=WATCHERS).map(|user| shop.change(user, user, OrderStatus::Paid))).await;
    for user in 1..=10 {
        let pay = json!({"query": "mutation($i: PayOrderInput!) { payOrder(input: $i) { order { id } } }",
            "variables": {"i": {"orderId": user.to_string()}}});
        let request = reqwest::Client::new().post(shop.url()).json(&pay);
        let response = request.bearer_auth(shop.token(user)).send().await;
        let body: Value = response.expect("answers").json().await.expect("JSON");
        assert_eq!(body["errors"], Value::Null, "{body}");
    }
    for stream in &mut streams {
        assert_eq!(stream.next().await.expect("a frame").version(), 2);
    }
    assert!(
        shop.orders.most_calls() <= 2,
        "{}",
        shop.orders.most_calls()
    );
    drop(streams);
    shop.stop().await;
}

/// Seen red with frames' fetches that tell the breaker how they went.
#[tokio::test]
async fn frames_that_fail_do_not_shut_the_subgraph_for_buyers() {
    let shop = Shop::start().await;
    let mut stream = Sse::open(&shop, &shop.token(1), MINE, None).await;
    shop.orders.set_away(true);
    join_all((1..=20).map(|id| shop.change(id, 1, OrderStatus::New))).await;
    let tried = async || (shop.orders.entities_read() >= 20).then_some(());
    testkit::eventually("frames are tried", Duration::from_secs(10), tried).await;
    let query = json!({"query": r#"{ order(id: "7") { id } }"#});
    let request = reqwest::Client::new().post(shop.url()).json(&query);
    let response = request.bearer_auth(shop.token(1)).send().await;
    let body: Value = response.expect("answers").json().await.expect("JSON");
    assert_eq!(body, json!({"data": {"order": {"id": "7"}}}));
    shop.orders.set_away(false);
    for frame in stream.take(20).await {
        assert!(order(&frame)["id"].is_string(), "{frame:?}");
    }
    drop(stream);
    shop.stop().await;
}
