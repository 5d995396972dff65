//! The user who watches: server-sent events, live and after a cursor.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::shop::{Shop, new_user};

/// One frame of a stream of server-sent events.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// An open subscription.
pub(crate) struct Subscription {
    bytes: BoxStream<'static, Vec<u8>>,
    buffer: String,
}

impl Subscription {
    pub(crate) async fn open(shop: &Shop, token: &str, query: &str, variables: Value) -> Self {
        let request = reqwest::Client::new()
            .post(format!("{}/graphql", shop.url(4000)))
            .bearer_auth(token)
            .header("accept", "text/event-stream")
            .json(&json!({"query": query, "variables": variables}));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let chunks = answer
            .bytes_stream()
            .filter_map(|chunk| async { chunk.ok().map(|chunk| chunk.to_vec()) });
        Self {
            bytes: chunks.boxed(),
            buffer: String::new(),
        }
    }

    /// The next frame of the event `next`; heartbeats are passed over.
    pub(crate) async fn next(&mut self) -> Frame {
        let Frame { id, data } = self.next_response().await;
        assert!(data.get("errors").is_none(), "{data}");
        Frame {
            id,
            data: data["data"].clone(),
        }
    }

    /// The same, its data and its errors.
    pub(crate) async fn next_response(&mut self) -> Frame {
        timeout(Duration::from_secs(20), self.read())
            .await
            .expect("a frame within 20 s")
    }

    async fn read(&mut self) -> Frame {
        loop {
            while let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                let field = |name: &str| {
                    let lines = block
                        .lines()
                        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                    lines
                        .map(|value| value.strip_prefix(' ').unwrap_or(value))
                        .collect::<Vec<_>>()
                        .join("\n")
                };
                if field("event") == "next" {
                    return Frame {
                        id: field("id"),
                        data: serde_json::from_str(&field("data")).unwrap(),
                    };
                }
            }
            let chunk = self.bytes.next().await.expect("the stream stays open");
            self.buffer.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
}

const CREATE: &str =
    "mutation { createOrder(input: {lines: [{sku: \"139275865\", count: 1}]}) { order { id } } }";
const PAY: &str = "mutation($id: ID!) { payOrder(input: {orderId: $id}) { order { status } userErrors { code } } }";
const WATCH: &str = "subscription($id: ID!, $after: Cursor) {
    orderEvents(orderId: $id, after: $after) {
        kind cursor version status order { id lines { count product { name } } }
    }
}";

async fn new_order(shop: &Shop, token: &str) -> String {
    let data = shop.graphql(token, CREATE, json!({})).await;
    data["createOrder"]["order"]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_watcher_sees_the_order_as_it_stands_and_then_each_change() {
    let shop = Shop::shared().await;
    let token = shop.token(new_user(), false).await;
    let id = new_order(shop, &token).await;
    let mut watch = Subscription::open(shop, &token, WATCH, json!({"id": id})).await;

    let first = watch.next().await.data["orderEvents"].clone();
    assert_eq!(
        (&first["kind"], &first["version"]),
        (&json!("SNAPSHOT"), &json!(2)),
        "{first}"
    );
    assert_eq!(first["order"]["id"], id.as_str());

    shop.graphql(&token, PAY, json!({"id": id})).await;
    let frame = watch.next().await;
    let change = &frame.data["orderEvents"];
    assert_eq!(
        (&change["kind"], &change["version"]),
        (&json!("CHANGE"), &json!(3)),
        "{change}"
    );
    assert_eq!(change["status"], "PAID");
    assert!(
        change["order"]["lines"][0]["product"]["name"].is_string(),
        "{change}"
    );
    assert_eq!(change["cursor"], frame.id.as_str());
}

#[tokio::test]
async fn a_watcher_who_was_away_resumes_after_its_cursor_without_loss_or_repeat() {
    let shop = Shop::shared().await;
    let token = shop.token(new_user(), false).await;
    let end = shop
        .graphql(&token, "{ orderEventsCursor }", json!({}))
        .await;
    let id = new_order(shop, &token).await;
    shop.graphql(&token, PAY, json!({"id": id})).await;

    let mine =
        "subscription($after: Cursor) { myOrderEvents(after: $after) { orderId version cursor } }";
    let mut watch = Subscription::open(
        shop,
        &token,
        mine,
        json!({"after": end["orderEventsCursor"]}),
    )
    .await;
    let mut frames = Vec::new();
    for _ in 0..3 {
        frames.push(watch.next().await);
    }
    let versions: Vec<_> = frames
        .iter()
        .map(|frame| &frame.data["myOrderEvents"]["version"])
        .collect();
    assert_eq!(versions, [1, 2, 3]);
    drop(watch);

    let mut again = Subscription::open(shop, &token, mine, json!({"after": frames[0].id})).await;
    assert_eq!(again.next().await.data["myOrderEvents"]["version"], 2);
    assert_eq!(again.next().await.data["myOrderEvents"]["version"], 3);
}
