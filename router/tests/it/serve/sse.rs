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
    let opening = String::from_utf8(chunk.expect("the beginning").to_vec()).unwrap();
    assert!(opening.starts_with(":\nid: "), "{opening}");
    let chunk = tokio::time::timeout(LIMIT, response.chunk())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(chunk.as_deref(), Some(b":\n\n".as_slice()));
    drop(response);
    shop.stop().await;
}

/// What happens before the first frame is not lost with the connection. Meant against an opening without its id: the stream that
/// resumed began "now".
#[tokio::test]
async fn a_stream_that_breaks_before_its_first_frame_resumes_where_it_began() {
    let shop = Shop::start().await;
    shop.orders.set(9, 1, OrderStatus::New);
    let token = shop.token(1);
    let mine = "subscription { myOrderEvents { kind version } }";
    let one = r#"subscription { orderEvents(orderId: "9") { kind version } }"#;
    for (query, expected) in [(mine, ("CHANGE", 1)), (one, ("SNAPSHOT", 1))] {
        let stream = Sse::open(&shop, &token, query, None).await.opened().await;
        let begin = stream
            .last_id
            .clone()
            .expect("an id before the first frame");
        assert_eq!(stream.header("x-stream-cursor"), Some(begin.as_str()));
        drop(stream);
        shop.change(7, 1, OrderStatus::New).await;
        let mut resumed = Sse::open(&shop, &token, query, Some(&begin)).await;
        let first = resumed.next().await.expect("what was missed");
        assert_eq!((first.kind(), first.version()), expected, "{query}");
    }
    shop.stop().await;
}

/// Meant against the stream left open: nothing can follow.
#[tokio::test]
async fn the_stream_of_an_order_is_complete_when_the_order_is() {
    let shop = Shop::start().await;
    let token = shop.token(1);
    shop.orders.set(7, 1, OrderStatus::AwaitingPayment);
    let mut stream = Sse::open(&shop, &token, ORDER, None).await;
    assert_eq!(stream.next().await.expect("a snapshot").kind(), "SNAPSHOT");
    shop.change(7, 1, OrderStatus::Paid).await;
    let last = stream.next().await.expect("the last change");
    assert_eq!(stream.next().await.expect("the end").event, "complete");
    // Whoever missed that it is complete is told so, and whoever begins now sees it once.
    let mut again = Sse::open(&shop, &token, ORDER, last.id.as_deref()).await;
    assert_eq!(again.next().await.expect("the end").event, "complete");
    let mut late = Sse::open(&shop, &token, ORDER, None).await;
    assert_eq!(late.next().await.expect("a snapshot").kind(), "SNAPSHOT");
    assert_eq!(late.next().await.expect("the end").event, "complete");
    // Other streams go on: the buyer may have more orders.
    let mine = "subscription { myOrderEvents { kind version } }";
    let mut mine = Sse::open(&shop, &token, mine, None).await.opened().await;
    for _ in 0..2 {
        shop.change(8, 1, OrderStatus::Cancelled).await;
        assert_eq!(mine.next().await.expect("a change").kind(), "CHANGE");
    }
    drop(mine);
    shop.stop().await;
}

/// A client that is one too many comes back by itself, and is told when.
#[tokio::test]
async fn a_stream_over_a_limit_says_when_to_come_back_and_one_that_resumes_waits() {
    let shop = Shop::with(|config| config.stream.per_caller_max = 1).await;
    let token = shop.token(1);
    let mine = "subscription { myOrderEvents { version } }";
    let held = Sse::open(&shop, &token, mine, None).await.opened().await;
    let begin = held.last_id.clone();
    let mut refused = Sse::open(&shop, &token, mine, None).await;
    let reason = refused.next().await.expect("the reason");
    assert_eq!(reason.code(), "OVERLOADED");
    let extensions = &reason.data["errors"][0]["extensions"];
    assert_eq!(extensions["retryAfterSeconds"], 1);
    assert!(refused.retry.is_some_and(|pause| pause >= 1_000));
    assert_eq!(refused.next().await, None, "no completion");
    let resumes = Sse::open(&shop, &token, mine, begin.as_deref());
    let leaves = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        drop(held);
    };
    let (mut resumed, ()) = tokio::join!(resumes, leaves);
    shop.change(7, 1, OrderStatus::New).await;
    assert_eq!(resumed.next().await.expect("a frame").version(), 1);
    drop(resumed);
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
