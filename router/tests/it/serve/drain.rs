//! Streams that stop by the server's will: shutdown, and the end of a token. Clients take an error or a completion for the
//! end, so neither is sent; those that ask for it are told.

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

async fn shut_down(shop: &Shop) {
    let late = shop.tasks.shutdown(Duration::from_secs(10)).await;
    assert!(late.is_empty(), "tasks that did not stop: {late:?}");
}

/// Meant against an `error` message and `event: complete`, which graphql-ws and graphql-sse take for the end.
#[tokio::test]
async fn a_shutdown_turns_readiness_off_and_tells_every_stream_where_to_resume() {
    let shop = Shop::start().await;
    let token = shop.token(1);
    let mut stream = Sse::open(&shop, &token, MINE, None).await.opened().await;
    let begin = stream.last_id.clone();
    let mut socket = Socket::greeted(&shop, &token).await;
    socket.subscribe("a", MINE, json!({"resume": begin})).await;
    shop.change(7, 1, OrderStatus::New).await;
    let frame = stream.next().await.expect("a frame");
    assert_eq!(
        socket.hear().await["payload"]["data"]["myOrderEvents"]["version"],
        1
    );

    let health = shop.health.clone();
    let clients = async {
        assert_eq!(stream.next().await, None);
        assert!(
            stream.is_broken,
            "a body that ends is a stream that is over"
        );
        assert_eq!(stream.comments, ["SERVER_DRAINING"]);
        assert!(
            stream
                .retry
                .is_some_and(|pause| (1_000..5_000).contains(&pause))
        );
        assert_eq!(stream.last_id, frame.id, "where to resume");
        let (code, reason, before) = socket.closed().await;
        assert_eq!((code, before), (1012, vec![]));
        let cursor = frame.id.clone().expect("a cursor");
        assert_eq!(reason, format!("SERVER_DRAINING: resume after {cursor}"));
        assert!(!health.is_ready());
    };
    tokio::join!(shut_down(&shop), clients);
}

/// A client that was written for this server may prefer words.
#[tokio::test]
async fn a_client_that_asks_for_it_is_told_why_its_stream_stops() {
    let shop = Shop::start().await;
    let token = shop.token(1);
    let extensions = json!({"endErrors": true});
    let request = reqwest::Client::new()
        .post(shop.url())
        .bearer_auth(&token)
        .header("accept", "text/event-stream")
        .json(&json!({"query": MINE, "extensions": extensions}));
    let stream = request.send().await.expect("answers");
    let begin = stream.headers()["x-stream-cursor"]
        .to_str()
        .expect("plain")
        .to_owned();
    let mut socket = Socket::greeted(&shop, &token).await;
    let resume = json!({"resume": begin, "endErrors": true});
    socket.subscribe("a", MINE, resume).await;
    shop.change(7, 1, OrderStatus::New).await;
    let cursor = socket.hear().await["payload"]["extensions"]["cursor"].clone();
    let clients = async {
        let text = stream.text().await.expect("whole");
        let end = format!(r#""extensions":{{"code":"SERVER_DRAINING","cursor":{cursor}}}}}]}}"#);
        assert!(text.contains(&end), "{text}");
        assert!(text.ends_with("event: complete\ndata:\n\n"), "{text}");
        let (code, _, before) = socket.closed().await;
        assert_eq!((code, before[0]["type"].as_str()), (1012, Some("error")));
        let extensions = &before[0]["payload"][0]["extensions"];
        assert_eq!(extensions["code"], "SERVER_DRAINING");
        assert_eq!(extensions["cursor"], cursor);
    };
    tokio::join!(shut_down(&shop), clients);
}

#[tokio::test]
async fn a_multipart_response_breaks_off_before_its_last_boundary() {
    let shop = Shop::start().await;
    let request = reqwest::Client::new()
        .post(shop.url())
        .bearer_auth(shop.token(1))
        .header("accept", "multipart/mixed;subscriptionSpec=1.0")
        .json(&json!({"query": MINE}));
    let response = request.send().await.expect("answers");
    let client = async {
        let broken = response.text().await;
        assert!(broken.is_err(), "{broken:?}");
    };
    tokio::join!(shut_down(&shop), client);
}

/// Several streams of one socket have a cursor each, so the reason has none; what is not a stream ends first.
#[tokio::test]
async fn a_socket_with_several_streams_closes_once_for_all() {
    let shop = Shop::start().await;
    let mut socket = Socket::greeted(&shop, &shop.token(1)).await;
    for id in ["a", "b", "c"] {
        socket.subscribe(id, MINE, json!({})).await;
    }
    socket.subscribe("q", "{ __typename }", json!({})).await;
    assert_eq!(socket.hear().await["id"], "q");
    let client = async {
        let (code, reason, before) = socket.closed().await;
        assert_eq!(code, 1012);
        assert_eq!(reason, "SERVER_DRAINING: resume with the last cursor");
        assert!(
            before.iter().all(|message| message["id"] == "q"),
            "{before:?}"
        );
    };
    tokio::join!(shut_down(&shop), client);
}

/// Seen red with `expired` never resolving, and with an `error` and a completion.
#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let shop = Shop::start().await;
    let token = shop.token_for(1, Scopes::CUSTOMER, Duration::from_secs(3));
    let began = Instant::now();
    let mut stream = Sse::open(&shop, &token, MINE, None).await;
    let mut socket = Socket::greeted(&shop, &token).await;
    socket.subscribe("a", MINE, json!({})).await;
    assert_eq!(stream.next().await, None);
    assert!(stream.is_broken);
    assert_eq!(stream.comments, ["TOKEN_EXPIRED"]);
    let (code, reason, before) = socket.closed().await;
    assert_eq!((code, before), (4403, vec![]));
    assert!(
        reason.starts_with("TOKEN_EXPIRED: resume after "),
        "{reason}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "within 5 s of the token's end"
    );
    shop.stop().await;
}

/// Meant against streams that end with the token that they began with.
#[tokio::test]
async fn a_fresh_token_on_a_live_socket_moves_the_end_of_its_streams() {
    let shop = Shop::start().await;
    let short = shop.token_for(1, Scopes::CUSTOMER, Duration::from_secs(2));
    let mut socket = Socket::greeted(&shop, &short).await;
    socket.subscribe("a", MINE, json!({})).await;
    let fresh = json!({"authorization": format!("Bearer {}", shop.token(1))});
    socket.say(json!({"type": "ping", "payload": fresh})).await;
    let pong = socket.hear().await;
    assert_eq!(pong["type"], "pong");
    assert!(pong["payload"]["expiresAt"].is_string(), "{pong}");
    assert_eq!(
        pong["payload"]["authorization"],
        json!(null),
        "a token is not given back"
    );
    tokio::time::sleep(Duration::from_secs(4)).await;
    shop.change(7, 1, OrderStatus::New).await;
    let frame = socket.hear().await;
    assert_eq!(
        frame["payload"]["data"]["myOrderEvents"]["version"], 1,
        "{frame}"
    );

    for other in [shop.token(2), shop.ops(), "nonsense".to_owned()] {
        let mut socket = Socket::greeted(&shop, &shop.token(1)).await;
        socket
            .say(json!({"type": "ping", "payload": {"token": other}}))
            .await;
        assert_eq!(socket.close_code().await, 4403);
    }
    drop(socket);
    shop.stop().await;
}
