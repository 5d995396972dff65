//! `stockEvents`: the units of a SKU that can be ordered, for everybody, from a topic beside that of the order events.

use serde_json::{Value, json};

use super::{
    client::{Frame, Socket, Sse},
    shop::Shop,
};

/// No token.
const NOBODY: &str = "";

fn query(sku: i64) -> String {
    format!(
        r#"subscription {{ stockEvents(sku: "{sku}") {{ kind cursor sku version available at product {{ name }} }} }}"#
    )
}

fn event(frame: &Frame) -> &Value {
    &frame.data["data"]["stockEvents"]
}

/// Kind, version and units.
fn told(frames: &[Frame]) -> Vec<(String, Value, Value)> {
    let told = frames.iter().map(event).map(|event| {
        let kind = event["kind"].as_str().unwrap_or_default().to_owned();
        (kind, event["version"].clone(), event["available"].clone())
    });
    told.collect()
}

fn change(version: u32, available: i32) -> (String, Value, Value) {
    ("CHANGE".to_owned(), json!(version), json!(available))
}

/// The last unit goes in front of somebody's eyes; wherever one stops to look, one goes on. Meant against a stream without its scope:
/// another SKU's units would come.
#[tokio::test]
async fn everybody_sees_the_units_as_they_are_and_then_each_change_once() {
    let shop = Shop::start().await.with_stock().await;
    shop.stock(70, 3).await;
    let mut page = Sse::open(&shop, NOBODY, &query(70), None).await;
    let first = page.next().await.expect("a snapshot");
    let snapshot = ("SNAPSHOT".to_owned(), json!(1), json!(3));
    assert_eq!(told(std::slice::from_ref(&first)), [snapshot]);
    assert_eq!(event(&first)["product"]["name"], "product 70");
    assert_eq!(event(&first)["at"], Value::Null);

    for available in [2, 1, 0] {
        shop.stock(80, available).await;
        shop.stock(70, available).await;
    }
    // A repeat of the relay's.
    shop.announce_stock(70, 4, 0).await;
    shop.stock(70, 5).await;
    let rest = page.take(4).await;
    let expected = [change(2, 2), change(3, 1), change(4, 0), change(5, 5)];
    assert_eq!(told(&rest), expected);
    for frame in &rest {
        assert_eq!(event(frame)["sku"], "70");
        assert_eq!(event(frame)["cursor"], frame.id.as_deref().unwrap_or("-"));
        assert!(event(frame)["at"].is_string());
    }

    let mut all = vec![first];
    all.extend(rest);
    for (at, frame) in all.iter().enumerate() {
        let mut resumed = Sse::open(&shop, NOBODY, &query(70), frame.id.as_deref()).await;
        let behind = resumed.take(expected.len() - at).await;
        assert_eq!(told(&behind), expected[at..], "behind frame {at}");
    }
    shop.stop().await;
}

/// A change between the end of the log and the state that is read is shown once.
#[tokio::test]
async fn what_the_snapshot_shows_does_not_come_again() {
    let shop = Shop::start().await.with_stock().await;
    shop.stock(70, 9).await;
    // The state is ahead of what was sent.
    let version = shop.orders.set_stock(70, 8);
    let mut page = Sse::open(&shop, NOBODY, &query(70), None).await;
    let first = page.next().await.expect("a snapshot");
    assert_eq!(told(std::slice::from_ref(&first))[0].1, json!(2));
    shop.announce_stock(70, version, 8).await;
    shop.stock(70, 7).await;
    assert_eq!(told(&page.take(1).await), [change(3, 7)]);
    // Nor to whoever goes on behind it.
    let mut resumed = Sse::open(&shop, NOBODY, &query(70), first.id.as_deref()).await;
    assert_eq!(told(&resumed.take(1).await), [change(3, 7)]);
    shop.stop().await;
}

#[tokio::test]
async fn a_cursor_of_the_order_events_is_a_gap_here_and_the_stream_goes_on() {
    let shop = Shop::start().await.with_stock().await;
    shop.change(7, 1, schema::event::OrderStatus::New).await;
    shop.stock(70, 3).await;
    let end = shop.end().await;
    let mut page = Sse::open(&shop, NOBODY, &query(70), Some(&end)).await;
    let gap = page.next().await.expect("a gap");
    assert_eq!(gap.kind(), "GAP");
    assert_eq!(event(&gap)["sku"], "70");
    shop.stock(70, 2).await;
    assert_eq!(told(&page.take(1).await), [change(2, 2)]);
    shop.stop().await;
}

/// A socket's first cursor is a place among the order events: who has nothing else yet begins with the units as they are.
#[tokio::test]
async fn a_socket_may_resume_at_its_first_cursor_and_gets_the_state() {
    let shop = Shop::start().await.with_stock().await;
    shop.change(7, 1, schema::event::OrderStatus::New).await;
    shop.stock(70, 3).await;
    let payload = json!({"authorization": format!("Bearer {}", shop.token(1))});
    let (mut socket, greeting) = Socket::greeted_with(&shop, payload).await;
    let cursor = greeting["cursor"].as_str().expect("a cursor");
    socket
        .subscribe("s", &query(70), json!({"resume": cursor}))
        .await;
    let frame = socket.hear().await;
    let event = &frame["payload"]["data"]["stockEvents"];
    assert_eq!(
        (&event["kind"], &event["available"]),
        (&json!("SNAPSHOT"), &json!(3)),
        "{frame}"
    );
    shop.stop().await;
}

#[tokio::test]
async fn what_is_no_sku_is_refused_and_orders_stay_their_owners() {
    let shop = Shop::start().await.with_stock().await;
    let refused = |query: String| {
        let shop = &shop;
        async move {
            let mut stream = Sse::open(shop, NOBODY, &query, None).await;
            let frame = stream.next().await.expect("an answer");
            frame.code().to_owned()
        }
    };
    for wrong in [r#""x""#, r#""0""#, "-1"] {
        let field = format!("subscription {{ stockEvents(sku: {wrong}) {{ kind }} }}");
        assert_eq!(refused(field).await, "INVALID_ARGUMENT", "{wrong}");
    }
    let orders = "subscription { myOrderEvents { kind } }".to_owned();
    assert_eq!(refused(orders).await, "UNAUTHENTICATED");
    shop.stop().await;
}
