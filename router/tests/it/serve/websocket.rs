//! `graphql-transport-ws`: the codes with which a socket is closed, and its operations.

use std::time::Duration;

use schema::event::OrderStatus;
use serde_json::json;
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

    for message in [
        Message::text("{"),
        Message::text(r#"{"type":"start"}"#),
        Message::binary(vec![1]),
    ] {
        let mut unknown = Socket::greeted(&shop, &token).await;
        unknown.send(message).await;
        assert_eq!(unknown.close_code().await, 4400);
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
