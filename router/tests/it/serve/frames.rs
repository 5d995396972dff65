//! What a frame is when its order cannot be read at once, and what many equal streams cost.

use std::time::Duration;

use schema::event::OrderStatus;

use super::{
    client::{Frame, Sse},
    shop::Shop,
};

const MINE: &str = "subscription { myOrderEvents { kind version order { id version } } }";
const NAMED: &str =
    "subscription { myOrderEvents { kind version order { id lines { product { name } } } } }";
const ORDER: &str =
    r#"subscription { orderEvents(orderId: "7") { kind version order { id version } } }"#;
const ALL: &str = "subscription { allOrderEvents { kind version order { id version } } }";

fn order(frame: &Frame) -> &serde_json::Value {
    &frame.data["data"]["myOrderEvents"]["order"]
}

#[tokio::test]
async fn a_frame_whose_order_cannot_be_read_for_a_moment_is_late_and_not_empty() {
    let shop = Shop::start().await;
    let mut stream = Sse::open(&shop, &shop.token(1), MINE, None).await;
    shop.orders.fail_entities(3);
    shop.change(7, 1, OrderStatus::New).await;
    let frame = stream.next().await.expect("a frame");
    assert_eq!(order(&frame)["version"], 1, "{frame:?}");
    assert_eq!(frame.data.get("errors"), None, "{frame:?}");
    assert_eq!(shop.orders.entities_read(), 4);
    drop(stream);
    shop.stop().await;
}

/// Whoever resumes there gets the frame.
#[tokio::test]
async fn an_order_that_stays_out_of_reach_ends_the_stream_with_the_cursor_before_it() {
    let shop = Shop::with(|config| config.stream.frame_timeout = Duration::from_millis(400)).await;
    let token = shop.token(1);
    let mut stream = Sse::open(&shop, &token, MINE, None).await;
    shop.change(7, 1, OrderStatus::New).await;
    let first = stream.next().await.expect("a frame");
    shop.orders.fail_entities(usize::MAX);
    shop.change(7, 1, OrderStatus::AwaitingPayment).await;
    stream.breaks_off("UNAVAILABLE").await;
    assert_eq!(stream.last_id, first.id);

    shop.orders.fail_entities(0);
    let mut resumed = Sse::open(&shop, &token, MINE, first.id.as_deref()).await;
    let frame = resumed.next().await.expect("a frame");
    assert_eq!((frame.version(), &order(&frame)["version"]), (2, &2.into()));
    drop((stream, resumed));
    shop.stop().await;
}

/// Meant against a frame that waits for what stands below its order for a second only: it came without the name, and its cursor
/// had passed it.
#[tokio::test]
async fn what_is_missing_below_an_order_for_a_moment_is_waited_for_too() {
    let shop =
        Shop::with(|config| config.stream.frame_timeout = Duration::from_millis(1_500)).await;
    let token = shop.token(1);
    let mut stream = Sse::open(&shop, &token, NAMED, None).await;
    let name = |frame: &Frame| order(frame)["lines"][0]["product"]["name"].clone();
    for code in ["UNAVAILABLE", "OVERLOADED", "DEADLINE_EXCEEDED"] {
        shop.orders.fail_names(2, code);
        shop.change(7, 1, OrderStatus::New).await;
        let frame = stream.next().await.expect("a frame");
        assert_eq!(name(&frame), "product 70", "{frame:?}");
        assert_eq!(frame.data.get("errors"), None, "{frame:?}");
    }
    // What no other try would bring is shown at once.
    shop.orders.fail_names(1, "PRODUCT_NOT_FOUND");
    shop.change(7, 1, OrderStatus::Paid).await;
    let frame = stream.next().await.expect("a frame");
    assert_eq!(frame.code(), "PRODUCT_NOT_FOUND", "{frame:?}");
    assert!(order(&frame)["id"].is_string(), "{frame:?}");

    shop.orders.fail_names(usize::MAX, "UNAVAILABLE");
    shop.change(7, 1, OrderStatus::Cancelled).await;
    stream.breaks_off("UNAVAILABLE").await;
    assert_eq!(stream.last_id, frame.id);
    shop.orders.fail_names(0, "UNAVAILABLE");
    let mut resumed = Sse::open(&shop, &token, NAMED, frame.id.as_deref()).await;
    let frame = resumed.next().await.expect("a frame");
    assert_eq!((frame.version(), name(&frame)), (5, "product 70".into()));
    drop((stream, resumed));
    shop.stop().await;
}

/// Meant against a cursor that has passed the snapshot before it was sent: the client never saw the order.
#[tokio::test]
async fn whoever_resumes_before_the_snapshot_gets_it() {
    let shop = Shop::with(|config| config.stream.frame_timeout = Duration::from_millis(400)).await;
    let token = shop.token(1);
    shop.change(7, 1, OrderStatus::New).await;
    shop.orders.fail_entities(usize::MAX);
    let mut stream = Sse::open(&shop, &token, ORDER, None).await;
    stream.breaks_off("UNAVAILABLE").await;
    let cursor = stream.last_id.clone();
    shop.orders.fail_entities(0);
    shop.change(7, 1, OrderStatus::AwaitingPayment).await;
    let mut resumed = Sse::open(&shop, &token, ORDER, cursor.as_deref()).await;
    let frame = resumed.next().await.expect("a frame");
    assert_eq!(
        (frame.kind(), frame.version()),
        ("SNAPSHOT", 2),
        "{frame:?}"
    );
    shop.change(7, 1, OrderStatus::Paid).await;
    let frame = resumed.next().await.expect("a frame");
    assert_eq!((frame.kind(), frame.version()), ("CHANGE", 3), "{frame:?}");
    drop((stream, resumed));
    shop.stop().await;
}

#[tokio::test]
async fn equal_streams_of_one_caller_share_a_fetch_and_those_of_another_do_not() {
    const STREAMS: usize = 20;
    let shop = Shop::start().await;
    let (mine, all) = (shop.token(1), shop.ops());
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        streams.push(Sse::open(&shop, &mine, MINE, None).await);
        streams.push(Sse::open(&shop, &all, ALL, None).await);
    }
    shop.change(7, 1, OrderStatus::New).await;
    for stream in &mut streams {
        let frame = stream.next().await.expect("a frame");
        let shown = frame.data["data"]
            .as_object()
            .and_then(|data| data.values().next());
        assert_eq!(shown.expect("a field")["order"]["id"], "7", "{frame:?}");
    }
    assert_eq!(shop.orders.entities_read(), 2);
    drop(streams);
    shop.stop().await;
}

/// A budget that is spent delays frames; the window's next budget pays for them.
#[tokio::test]
async fn frames_are_charged_and_come_late_rather_than_never() {
    const CHANGES: i64 = 12;
    let shop = Shop::with(|config| {
        config.rate_limit.budget = 10;
        config.rate_limit.window = Duration::from_secs(1);
    })
    .await;
    let mut stream = Sse::open(&shop, &shop.token(1), MINE, None).await;
    for id in 1..=CHANGES {
        shop.change(id, 1, OrderStatus::New).await;
    }
    for _ in 1..=CHANGES {
        let frame = stream.next().await.expect("a frame");
        assert!(order(&frame)["id"].is_string(), "{frame:?}");
    }
    drop(stream);
    shop.stop().await;
}

#[tokio::test]
async fn a_stream_that_nobody_can_pay_for_is_closed_with_its_cursor() {
    let shop = Shop::with(|config| {
        config.rate_limit.budget = 10;
        config.rate_limit.window = Duration::from_mins(10);
        config.stream.charge_timeout = Duration::from_millis(300);
        config.stream.concurrent_frames = 1;
    })
    .await;
    let mut stream = Sse::open(&shop, &shop.token(1), MINE, None).await;
    for id in 1..=12 {
        shop.change(id, 1, OrderStatus::New).await;
    }
    let mut last = None;
    while let Some(frame) = stream.next().await {
        assert!(order(&frame)["id"].is_string(), "{frame:?}");
        last = frame.id;
    }
    assert!(stream.is_broken);
    assert_eq!(stream.comments, ["RATE_LIMITED"]);
    let pause = stream.retry.expect("when to come back");
    assert!(pause > 5_000, "not before the window is over: {pause} ms");
    assert!(last.is_some(), "some frames were paid for");
    assert_eq!(stream.last_id, last);
    drop(stream);
    shop.stop().await;
}
