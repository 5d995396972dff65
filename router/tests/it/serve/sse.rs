//! Subscriptions over server-sent events and multipart: the bytes, and who may read.

use reqwest::Client;
use schema::event::OrderStatus;
use serde_json::json;

use super::{
    client::{LIMIT, Sse},
    shop::Shop,
};

const ORDER: &str = r#"subscription { orderEvents(orderId: "7") { kind cursor orderId version status order { id lines { product { name } } } } }"#;

#[tokio::test]
async fn a_frame_carries_its_cursor_in_three_places_and_the_graph_behind_its_order() {
    let shop = Shop::start().await;
    shop.orders.set(7, 1, OrderStatus::New);
    let mut stream = Sse::open(&shop, &shop.token(1), ORDER, None).await;
    let snapshot = stream.next().await.expect("a snapshot");
    assert_eq!((snapshot.kind(), snapshot.version()), ("SNAPSHOT", 1));
    shop.change(7, 1, OrderStatus::AwaitingPayment).await;
    let change = stream.next().await.expect("a change");
    assert_eq!(change.event, "next");
    let id = change.id.clone().expect("an id");
    let expected = json!({
        "data": { "orderEvents": {
            "kind": "CHANGE", "cursor": id, "orderId": "7", "version": 2, "status": "AWAITING_PAYMENT",
            "order": { "id": "7", "lines": [{ "product": { "name": "product 70" } }] },
        } },
        "extensions": { "cursor": id },
    });
    assert_eq!(change.data, expected);
    drop(stream);
    shop.stop().await;
}

/// Seen red with the snapshot read by the router's own rights.
#[tokio::test]
async fn a_foreign_order_looks_like_an_absent_one_and_all_orders_need_ops() {
    let shop = Shop::start().await;
    shop.orders.set(7, 1, OrderStatus::New);
    let all = "subscription { allOrderEvents { version } }";
    let absent = ORDER.replace("\"7\"", "\"8\"");
    let cases = [
        (shop.token(2), ORDER, "NOT_FOUND"),
        (shop.token(1), absent.as_str(), "NOT_FOUND"),
        (shop.token(1), all, "FORBIDDEN"),
        (
            shop.token(1),
            r#"subscription { myOrderEvents(after: "x") { version } }"#,
            "INVALID_ARGUMENT",
        ),
        (
            shop.token(1),
            r#"subscription { orderEvents(orderId: "-1") { version } }"#,
            "INVALID_ARGUMENT",
        ),
    ];
    for (token, query, code) in cases {
        let mut stream = Sse::open(&shop, &token, query, None).await;
        let refused = stream.next().await.expect("a refusal");
        assert_eq!(
            (refused.event.as_str(), refused.code()),
            ("next", code),
            "{query}"
        );
        assert_eq!(stream.next().await.expect("the end").event, "complete");
        assert_eq!(stream.next().await, None);
    }
    let mut ops = Sse::open(&shop, &shop.ops(), ORDER, None).await;
    assert_eq!(ops.next().await.expect("a snapshot").kind(), "SNAPSHOT");
    drop(ops);
    shop.stop().await;
}

#[tokio::test]
async fn a_query_is_a_stream_of_one_answer() {
    let shop = Shop::start().await;
    let answer = Client::new()
        .post(shop.url())
        .header("accept", "text/event-stream")
        .json(&json!({"query": "{ __typename }"}));
    let answer = answer.send().await.unwrap();
    assert_eq!(
        answer.headers()["content-type"],
        "text/event-stream; charset=utf-8"
    );
    assert_eq!(
        answer.text().await.unwrap(),
        "event: next\ndata: {\"data\":{\"__typename\":\"Query\"}}\n\nevent: complete\ndata:\n\n"
    );
    shop.stop().await;
}

#[tokio::test]
async fn an_idle_stream_shows_that_it_lives() {
    let heartbeat = std::time::Duration::from_millis(50);
    let shop = Shop::with(|config| config.stream.heartbeat_interval = heartbeat).await;
    let request = Client::new()
        .post(shop.url())
        .bearer_auth(shop.token(1))
        .header("accept", "text/event-stream")
        .json(&json!({"query": "subscription { myOrderEvents { version } }"}));
    let mut response = request.send().await.unwrap();
    let chunk = tokio::time::timeout(LIMIT, response.chunk())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(chunk.as_deref(), Some(b":\n\n".as_slice()));
    drop(response);
    shop.stop().await;
}

#[tokio::test]
async fn multipart_carries_the_same_frames() {
    let shop = Shop::start().await;
    shop.orders.set(7, 1, OrderStatus::New);
    let request = Client::new()
        .post(shop.url())
        .bearer_auth(shop.token(1))
        .header(
            "accept",
            "multipart/mixed;subscriptionSpec=1.0, application/json",
        )
        .json(&json!({"query": r#"subscription { orderEvents(orderId: "7") { kind version } }"#}));
    let mut response = request.send().await.unwrap();
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        kind,
        "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0"
    );
    let mut text = String::new();
    while text.matches("--graphql").count() < 2 {
        let chunk = tokio::time::timeout(LIMIT, response.chunk())
            .await
            .unwrap()
            .unwrap();
        text.push_str(&String::from_utf8_lossy(&chunk.expect("more")));
    }
    let head = "\r\n--graphql\r\ncontent-type: application/json\r\n\r\n";
    let payload = r#"{"payload":{"data":{"orderEvents":{"kind":"SNAPSHOT","version":1}}"#;
    assert!(text.starts_with(&format!("{head}{payload}")), "{text}");
    drop(response);
    shop.stop().await;
}
