//! Streams that end by the server's will: shutdown, and the end of a token.

use std::time::Duration;

use chassis::principal::Scopes;
use schema::event::OrderStatus;
use serde_json::json;
use tokio::time::Instant;

use super::{
    client::{Socket, Sse},
    shop::Shop,
};

const MINE: &str = "subscription { myOrderEvents { kind version } }";

/// Seen red with ends that do not name the cursor.
#[tokio::test]
async fn a_shutdown_turns_readiness_off_and_tells_every_stream_where_to_resume() {
    let shop = Shop::start().await;
    let token = shop.token(1);
    let mut socket = Socket::greeted(&shop, &token).await;
    socket
        .subscribe("end", "{ orderEventsCursor }", json!({}))
        .await;
    let end = socket.hear().await["payload"]["data"]["orderEventsCursor"].clone();
    assert_eq!(socket.hear().await["type"], "complete");
    // From a place and not from "now": a socket is not told when its subscription has begun.
    let mut stream = Sse::open(&shop, &token, MINE, end.as_str()).await;
    socket.subscribe("a", MINE, json!({"resume": end})).await;
    shop.change(7, 1, OrderStatus::New).await;
    let frame = stream.next().await.expect("a frame");
    assert_eq!(
        socket.hear().await["payload"]["data"]["myOrderEvents"]["version"],
        1
    );

    let (tasks, health) = (shop.tasks.clone(), shop.health.clone());
    let shutdown = async { tasks.shutdown(Duration::from_secs(10)).await };
    let clients = async {
        let end = stream.next().await.expect("the reason");
        assert_eq!(end.code(), "SERVER_DRAINING");
        let cursor = &end.data["errors"][0]["extensions"]["cursor"];
        assert_eq!(cursor.as_str(), frame.id.as_deref());
        assert_eq!(stream.next().await.expect("the end").event, "complete");
        let error = socket.hear().await;
        assert_eq!(
            (error["type"].as_str(), error["id"].as_str()),
            (Some("error"), Some("a"))
        );
        let extensions = &error["payload"][0]["extensions"];
        assert_eq!(extensions["code"], "SERVER_DRAINING");
        assert_eq!(extensions["cursor"].as_str(), frame.id.as_deref());
        assert_eq!(socket.close_code().await, 1012);
        assert!(!health.is_ready());
    };
    let (late, ()) = tokio::join!(shutdown, clients);
    assert!(late.is_empty(), "tasks that did not stop: {late:?}");
}

/// Seen red with `expired` never resolving.
#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let shop = Shop::start().await;
    let token = shop.token_for(1, Scopes::CUSTOMER, Duration::from_secs(3));
    let began = Instant::now();
    let mut stream = Sse::open(&shop, &token, MINE, None).await;
    let mut socket = Socket::greeted(&shop, &token).await;
    socket.subscribe("a", MINE, json!({})).await;
    assert_eq!(
        stream.next().await.expect("the reason").code(),
        "TOKEN_EXPIRED"
    );
    assert_eq!(stream.next().await.expect("the end").event, "complete");
    let error = socket.hear().await;
    assert_eq!(error["payload"][0]["extensions"]["code"], "TOKEN_EXPIRED");
    assert_eq!(socket.close_code().await, 4403);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "within 5 s of the token's end"
    );
    shop.stop().await;
}
