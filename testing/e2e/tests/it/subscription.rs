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
            .header("accept", "text/event-stream")
            .json(&json!({"query": query, "variables": variables}));
        // Without a token it is nobody in particular who asks.
        let request = if token.is_empty() {
            request
        } else {
            request.bearer_auth(token)
        };
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

/// From the line of an order to the stream of its SKU, for operators alone. Two orders are paid: one filter finds the one, another
/// the other, and what a filter left out comes to whoever resumes at a cursor from before.
#[tokio::test]
async fn an_operator_watches_a_sku_or_a_buyer_alone() {
    const ORDER: &str = "mutation($sku: ID!) { createOrder(input: {lines: [{sku: $sku, count: 1}]}) { order { id } } }";
    const WATCH: &str = "subscription($sku: ID, $user: ID, $after: Cursor) {
        allOrderEvents(status: PAID, sku: $sku, userId: $user, after: $after) { orderId status }
    }";
    let shop = Shop::shared().await;
    let operator = shop.token(new_user(), true).await;
    let begin = shop
        .graphql(&operator, "{ orderEventsCursor }", json!({}))
        .await;
    let begin = begin["orderEventsCursor"].clone();
    let mut orders = Vec::new();
    for sku in ["139275865", "1076963"] {
        let user = new_user();
        let token = shop.token(user, false).await;
        let data = shop.graphql(&token, ORDER, json!({"sku": sku})).await;
        let id = data["createOrder"]["order"]["id"].clone();
        shop.graphql(&token, PAY, json!({"id": id})).await;
        orders.push((sku, user.to_string(), id));
    }
    for (sku, user, id) in &orders {
        let both = json!({"sku": sku, "user": user, "after": begin});
        let of_one = json!({"user": user, "after": begin});
        for variables in [both, of_one] {
            let mut watch = Subscription::open(shop, &operator, WATCH, variables).await;
            let frame = watch.next().await;
            assert_eq!(
                frame.data["allOrderEvents"],
                json!({"orderId": id, "status": "PAID"})
            );
        }
    }
    let (sku, _, _) = &orders[1];
    let mut watch =
        Subscription::open(shop, &operator, WATCH, json!({"sku": sku, "after": begin})).await;
    loop {
        // Other tests' orders of the SKU may come too; the first order's does not.
        let frame = watch.next().await;
        let id = &frame.data["allOrderEvents"]["orderId"];
        assert_ne!(*id, orders[0].2);
        if *id == orders[1].2 {
            break;
        }
    }
}

/// The last units of a product before the eyes of somebody who only looks: an order takes them, and its cancellation brings them back.
#[tokio::test]
async fn somebody_without_a_token_sees_the_units_of_a_product_go_and_come_back() {
    const WATCH: &str = "subscription($sku: ID!, $after: Cursor) {
        stockEvents(sku: $sku, after: $after) { kind sku available version product { name stock { version } } }
    }";
    const SET: &str =
        "mutation($sku: ID!) { setStock(input: {sku: $sku, total: 5}) { userErrors { code } } }";
    const ORDER: &str = "mutation($sku: ID!) { createOrder(input: {lines: [{sku: $sku, count: 5}]}) { order { id } } }";
    const CANCEL: &str =
        "mutation($id: ID!) { cancelOrder(input: {orderId: $id}) { userErrors { code } } }";
    // One that no other test asks for.
    const SKU: &str = "4465995";
    let shop = Shop::shared().await;
    let operator = shop.token(new_user(), true).await;
    let buyer = shop.token(new_user(), false).await;
    shop.graph_of_stock(&operator, SET, SKU).await;

    let mut watch = Subscription::open(shop, "", WATCH, json!({"sku": SKU})).await;
    let first = watch.next().await;
    let shown = &first.data["stockEvents"];
    assert_eq!(
        (&shown["kind"], &shown["available"]),
        (&json!("SNAPSHOT"), &json!(5)),
        "{shown}"
    );
    let before = shown["version"].as_i64().unwrap();
    let order = shop.graph_of_stock(&buyer, ORDER, SKU).await;
    let id = order["createOrder"]["order"]["id"].clone();
    shop.graphql(&buyer, CANCEL, json!({"id": id})).await;

    let mut frames = Vec::new();
    for (version, available) in [(before + 1, 0), (before + 2, 5)] {
        let frame = watch.next().await;
        let event = &frame.data["stockEvents"];
        assert_eq!(event["kind"], "CHANGE");
        assert_eq!(event["version"], version, "{event}");
        assert_eq!(event["available"], available, "{event}");
        assert!(event["product"]["name"].is_string(), "{event}");
        frames.push(frame);
    }
    for (cursor, version) in [(&first.id, before + 1), (&frames[0].id, before + 2)] {
        let after = json!({"sku": SKU, "after": cursor});
        let mut again = Subscription::open(shop, "", WATCH, after).await;
        assert_eq!(again.next().await.data["stockEvents"]["version"], version);
    }
}

impl Shop {
    async fn graph_of_stock(&self, token: &str, text: &str, sku: &str) -> Value {
        self.graphql(token, text, json!({"sku": sku})).await
    }
}
