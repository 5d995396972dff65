//! Resuming: wherever a client stops, it goes on without a gap and without a repeat.

use schema::event::OrderStatus;
use serde_json::json;

use super::{
    client::{Frame, Socket, Sse},
    shop::Shop,
    subgraphs::Moment,
};

const MINE: &str = "subscription { myOrderEvents { kind cursor orderId version } }";
const ORDER: &str = r#"subscription { orderEvents(orderId: "7") { kind cursor version } }"#;
const STATUSES: [OrderStatus; 3] = [
    OrderStatus::New,
    OrderStatus::AwaitingPayment,
    OrderStatus::Paid,
];

fn seen(frames: &[Frame]) -> Vec<(String, i64)> {
    let object = |frame: &Frame| frame.data["data"]["myOrderEvents"].clone();
    let pair = |frame| {
        let object = object(frame);
        (
            object["orderId"].as_str().unwrap_or_default().to_owned(),
            frame.version(),
        )
    };
    frames.iter().map(pair).collect()
}

/// Three orders over two partitions. Seen red with the cursor taken before its event instead of behind it.
#[tokio::test]
async fn a_client_cut_after_any_frame_sees_each_version_once() {
    let shop = Shop::start().await;
    let token = shop.token(1);
    let mut whole = Sse::open(&shop, &token, MINE, None).await;
    for status in STATUSES {
        for id in [7, 8, 9] {
            shop.change(id, 1, status).await;
            shop.change(id + 100, 2, status).await;
        }
    }
    let frames = whole.take(9).await;
    let all = seen(&frames);
    for cut in 0..9 {
        let cursor = frames[cut].id.as_deref();
        let mut rest = Sse::open(&shop, &token, MINE, cursor).await;
        let mut got = all[..=cut].to_vec();
        got.extend(seen(&rest.take(8 - cut).await));
        // Partitions may interleave anew; each order's versions may not.
        let mut expected = all.clone();
        expected.sort();
        let per_order = |id: &str| -> Vec<i64> {
            got.iter()
                .filter(|(order, _)| order == id)
                .map(|(_, version)| *version)
                .collect()
        };
        for id in ["7", "8", "9"] {
            assert_eq!(
                per_order(id),
                [1, 2, 3],
                "order {id}, cut after frame {cut}"
            );
        }
        got.sort();
        assert_eq!(got, expected, "cut after frame {cut}");
    }
    drop(whole);
    shop.stop().await;
}

/// A browser that reconnects asks for the same URL, argument and all, and adds the header. Fails with the argument first:
/// every frame came again.
#[tokio::test]
async fn header_extension_and_argument_resume_alike_and_the_newest_wins() {
    let shop = Shop::start().await;
    let token = shop.token(1);
    let mut whole = Sse::open(&shop, &token, MINE, None).await;
    for status in STATUSES {
        shop.change(7, 1, status).await;
    }
    let frames = whole.take(3).await;
    let [first, second] = [0, 1].map(|frame: usize| frames[frame].id.clone().expect("an id"));
    let after = MINE.replace(
        "myOrderEvents",
        &format!("myOrderEvents(after: \"{first}\")"),
    );
    let mut by_argument = Sse::open(&shop, &token, &after, None).await;
    assert_eq!(by_argument.next().await.expect("a frame").version(), 2);
    let mut by_both = Sse::open(&shop, &token, &after, Some(&second)).await;
    assert_eq!(by_both.next().await.expect("a frame").version(), 3);
    drop(by_both);
    let mut by_header = Sse::open(&shop, &token, MINE, Some(&second)).await;
    assert_eq!(by_header.next().await.expect("a frame").version(), 3);
    let mut socket = Socket::greeted(&shop, &token).await;
    socket.subscribe("a", MINE, json!({"resume": second})).await;
    let message = socket.hear().await;
    assert_eq!(
        message["payload"]["data"]["myOrderEvents"]["version"], 3,
        "{message}"
    );
    assert_eq!(
        message["payload"]["extensions"]["cursor"],
        frames[2].id.clone().expect("an id")
    );
    drop((whole, by_argument, by_header, socket));
    shop.stop().await;
}

/// The order changes after the log's end was taken and before the order is read: the event is then both in the snapshot
/// and behind the end. Seen red with `Seen::covers` always false: version 2 came twice.
#[tokio::test]
async fn a_change_just_before_the_snapshot_is_shown_once() {
    let shop = Shop::start().await;
    let (mut stream, token) = race(&shop, Moment::BeforeTheRow).await;
    let frames = stream.take(2).await;
    assert_eq!(told(&frames), [("SNAPSHOT", 2), ("CHANGE", 3)]);

    // Also for a client that is cut right behind the snapshot.
    let mut resumed = Sse::open(&shop, &token, ORDER, frames[0].id.as_deref()).await;
    assert_eq!(told(&resumed.take(1).await), [("CHANGE", 3)]);
    drop((stream, resumed));
    shop.stop().await;
}

/// The order changes after it was read: the snapshot is already old when it is sent. Seen red with the log's end taken
/// after the read: version 2 never came.
#[tokio::test]
async fn a_change_just_after_the_snapshot_is_not_missed() {
    let shop = Shop::start().await;
    let (mut stream, _) = race(&shop, Moment::AfterTheRow).await;
    let frames = stream.take(3).await;
    assert_eq!(
        told(&frames),
        [("SNAPSHOT", 1), ("CHANGE", 2), ("CHANGE", 3)]
    );
    drop(stream);
    shop.stop().await;
}

/// Opens the stream of order 7, which gets version 2 while the snapshot is read, and version 3 later.
async fn race(shop: &Shop, moment: Moment) -> (Sse, String) {
    let token = shop.token(1);
    shop.change(7, 1, OrderStatus::New).await;
    shop.orders.gate(moment);
    let racing = async {
        shop.orders.wait_at_the_gate(1).await;
        shop.change(7, 1, OrderStatus::AwaitingPayment).await;
        shop.orders.open_gate();
    };
    let (stream, ()) = tokio::join!(Sse::open(shop, &token, ORDER, None), racing);
    shop.change(7, 1, OrderStatus::Paid).await;
    (stream, token)
}

fn told(frames: &[Frame]) -> Vec<(&str, i64)> {
    frames
        .iter()
        .map(|frame| (frame.kind(), frame.version()))
        .collect()
}

#[tokio::test]
async fn a_cursor_of_another_topic_is_a_gap_and_then_goes_on() {
    let other = Shop::start().await;
    for status in STATUSES {
        other.change(7, 1, status).await;
    }
    let mut stream = Sse::open(&other, &other.token(1), ORDER, None).await;
    let cursor = stream.next().await.expect("a snapshot").id.expect("an id");
    drop(stream);
    other.stop().await;

    let shop = Shop::start().await;
    let token = shop.token(1);
    shop.change(7, 1, OrderStatus::New).await;
    let mut resumed = Sse::open(&shop, &token, ORDER, Some(&cursor)).await;
    let gap = resumed.next().await.expect("a gap");
    assert_eq!((gap.kind(), gap.version()), ("GAP", -1));
    shop.change(7, 1, OrderStatus::AwaitingPayment).await;
    assert_eq!(resumed.next().await.expect("a frame").version(), 2);
    drop(resumed);
    shop.stop().await;
}
