//! `graphql-transport-ws`: the codes with which a socket is closed, and its operations.

use std::time::Duration;

use schema::event::OrderStatus;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

use super::{client::Socket, shop::Shop};

const PROTOCOL: Option<&str> = Some("graphql-transport-ws");
const MINE: &str = "subscription { myOrderEvents { version } }";

/// Source: graphql-ws PROTOCOL.md.
#[tokio::test]
async fn a_breach_of_the_protocol_has_its_own_close_code() {
    let shop = Shop::with(|config| {
        config.websocket.init_timeout = Duration::from_millis(500);
    })
    .await;
    let token = shop.token(1);
    assert_eq!(Socket::connect(&shop, None).await.close_code().await, 4406);
    assert_eq!(
        Socket::connect(&shop, PROTOCOL).await.close_code().await,
        4408
    );

    let mut early = Socket::connect(&shop, PROTOCOL).await;
    early.subscribe("a", "{ __typename }", json!({})).await;
    assert_eq!(early.close_code().await, 4401);

    let mut bad_token = Socket::connect(&shop, PROTOCOL).await;
    bad_token
        .say(json!({"type": "connection_init", "payload": {"authorization": "Bearer x"}}))
        .await;
    assert_eq!(bad_token.close_code().await, 4403);

    let subscribe = |payload| {
        Message::text(json!({"type": "subscribe", "id": "a", "payload": payload}).to_string())
    };
    for message in [
        Message::text("{"),
        Message::text(r#"{"type":"start"}"#),
        Message::text(r#"{"type":"ping","payload":"x"}"#),
        Message::text(r#"{"type":"ping","payload":{"token":7}}"#),
        Message::binary(vec![1]),
        subscribe(json!(null)),
        subscribe(json!({})),
        subscribe(json!({"query": 7})),
        subscribe(json!({"query": "{ __typename }", "operationName": 7})),
        subscribe(json!({"query": "{ __typename }", "variables": "x"})),
        subscribe(json!({"query": "{ __typename }", "extensions": []})),
    ] {
        let mut unknown = Socket::greeted(&shop, &token).await;
        unknown.send(message.clone()).await;
        assert_eq!(unknown.close_code().await, 4400, "{message:?}");
    }
    for payload in [json!("token"), json!([]), json!({"authToken": 7})] {
        let mut malformed = Socket::connect(&shop, PROTOCOL).await;
        malformed
            .say(json!({"type": "connection_init", "payload": payload}))
            .await;
        assert_eq!(malformed.close_code().await, 4400, "{payload}");
    }

    let mut twice = Socket::greeted(&shop, &token).await;
    twice.say(json!({"type": "connection_init"})).await;
    assert_eq!(twice.close_code().await, 4429);

    let mut same_id = Socket::greeted(&shop, &token).await;
    same_id.subscribe("a", MINE, json!({})).await;
    same_id.subscribe("a", MINE, json!({})).await;
    assert_eq!(same_id.close_code().await, 4409);
    shop.stop().await;
}

/// A socket costs memory for as long as its client answers pings; one that runs nothing is ended, one that does stays.
#[tokio::test]
async fn a_socket_that_runs_no_operation_is_closed_after_its_time() {
    let shop = Shop::with(|config| {
        config.websocket.idle_timeout = Duration::from_millis(300);
    })
    .await;
    let token = shop.token(1);
    let mut busy = Socket::greeted(&shop, &token).await;
    busy.subscribe("a", MINE, json!({})).await;
    let mut idle = Socket::greeted(&shop, &token).await;
    assert_eq!(idle.close_code().await, 1000);
    shop.change(1, 1, OrderStatus::New).await;
    assert_eq!(busy.hear().await["type"], "next");
    shop.stop().await;
}

#[tokio::test]
async fn queries_mutations_and_errors_run_over_the_socket() {
    let shop = Shop::start().await;
    shop.orders.set(7, 1, OrderStatus::AwaitingPayment);
    let mut socket = Socket::greeted(&shop, &shop.token(1)).await;
    socket
        .say(json!({"type": "ping", "payload": {"x": 1}}))
        .await;
    assert_eq!(
        socket.hear().await,
        json!({"type": "pong", "payload": {"x": 1}})
    );
    // The id is free again as soon as the operation has ended.
    for _ in 0..20 {
        socket
            .subscribe("a", r#"{ order(id: "7") { version } }"#, json!({}))
            .await;
        let next = socket.hear().await;
        assert_eq!(
            next,
            json!({"id": "a", "type": "next", "payload": {"data": {"order": {"version": 1}}}})
        );
        assert_eq!(socket.hear().await, json!({"id": "a", "type": "complete"}));
    }
    let pay = r#"mutation { payOrder(input: {orderId: "7"}) { order { id } } }"#;
    socket.subscribe("b", pay, json!({})).await;
    assert_eq!(
        socket.hear().await["payload"]["data"]["payOrder"]["order"]["id"],
        "7"
    );
    assert_eq!(socket.hear().await["type"], "complete");
    assert_eq!(shop.orders.paid(), 1);
    socket.subscribe("c", "{ nothing }", json!({})).await;
    let error = socket.hear().await;
    assert_eq!(
        (error["type"].as_str(), error["id"].as_str()),
        (Some("error"), Some("c"))
    );
    assert_eq!(
        error["payload"][0]["extensions"]["code"],
        "GRAPHQL_VALIDATION_FAILED"
    );
    drop(socket);
    shop.stop().await;
}

#[tokio::test]
async fn operations_of_a_socket_are_bounded_and_completing_one_makes_room() {
    let shop = Shop::with(|config| config.websocket.operations_max = 1).await;
    let mut socket = Socket::greeted(&shop, &shop.token(1)).await;
    socket.subscribe("a", MINE, json!({})).await;
    socket.subscribe("b", MINE, json!({})).await;
    let refused = socket.hear().await;
    assert_eq!(refused["id"], "b");
    assert_eq!(
        refused["payload"][0]["extensions"]["limit"],
        "websocket.operations_max"
    );
    socket.say(json!({"type": "complete", "id": "a"})).await;
    socket.subscribe("c", "{ __typename }", json!({})).await;
    assert_eq!(socket.hear().await["type"], "next");
    drop(socket);
    shop.stop().await;
}

/// Meant against tokens looked for under one name: the socket was nobody's.
#[tokio::test]
async fn a_token_counts_under_the_names_that_clients_use() {
    let shop = Shop::start().await;
    let token = shop.token(1);
    let bearer = format!("Bearer {token}");
    for payload in [
        json!({"Authorization": bearer}),
        json!({"headers": {"Authorization": bearer}}),
        json!({"authToken": token}),
        json!({"token": token}),
    ] {
        let (mut socket, ack) = Socket::greeted_with(&shop, payload.clone()).await;
        assert!(ack["cursor"].is_string(), "{ack}");
        socket.subscribe("a", MINE, json!({})).await;
        socket.subscribe("q", "{ __typename }", json!({})).await;
        assert_eq!(socket.hear().await["id"], "q", "{payload}");
    }
    let (_, ack) = Socket::greeted_with(&shop, json!({})).await;
    assert_eq!(ack, json!(null), "nobody has no place in the log");
    shop.stop().await;
}

/// Meant against an acknowledgement that says nothing: the stream that came after the break began "now".
#[tokio::test]
async fn a_socket_that_breaks_before_its_first_frame_resumes_where_it_began() {
    let shop = Shop::start().await;
    let payload = json!({"token": shop.token(1)});
    let (mut socket, ack) = Socket::greeted_with(&shop, payload.clone()).await;
    socket.subscribe("a", MINE, json!({})).await;
    drop(socket);
    shop.change(7, 1, OrderStatus::New).await;
    let (mut socket, _) = Socket::greeted_with(&shop, payload).await;
    socket
        .subscribe("a", MINE, json!({"resume": ack["cursor"]}))
        .await;
    let frame = socket.hear().await;
    assert_eq!(
        frame["payload"]["data"]["myOrderEvents"]["version"], 1,
        "{frame}"
    );
    drop(socket);
    shop.stop().await;
}

/// Python's gql looks for the header in these letters alone, and speaks another protocol where it does not find it. Meant
/// against names in lower case.
#[tokio::test]
async fn the_subprotocol_is_named_in_the_letters_of_the_standard() {
    let shop = Shop::start().await;
    let mut socket = tokio::net::TcpStream::connect(shop.service.address)
        .await
        .unwrap();
    let head = "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                Sec-WebSocket-Protocol: graphql-ws, graphql-transport-ws\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(socket.read_u8().await.unwrap());
    }
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
    let protocol = "\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n";
    assert!(text.contains(protocol), "{text}");
    drop(socket);
    shop.stop().await;
}
