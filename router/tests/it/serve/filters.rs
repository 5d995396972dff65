//! Streams of some changes alone: what comes, from where a client resumes, and what is refused.

use std::time::Duration;

use schema::event::OrderStatus;
use serde_json::json;

use super::{
    client::{Frame, Socket, Sse},
    shop::Shop,
};

const FIELDS: &str = "{ kind cursor orderId version status }";

fn query(field: &str) -> String {
    format!("subscription {{ {field} {FIELDS} }}")
}

/// Order and version of each frame.
fn told(frames: &[Frame]) -> Vec<(i64, i64)> {
    let pair = |frame: &Frame| {
        let data = frame.data["data"].as_object();
        let event = data.and_then(|data| data.values().next());
        let order = event.and_then(|event| event["orderId"].as_str()?.parse().ok());
        (order.unwrap_or(-1), frame.version())
    };
    let mut told: Vec<_> = frames.iter().map(pair).collect();
    // Two partitions may interleave anew.
    told.sort_unstable();
    told
}

/// Orders 7 to 9 of user 1 and 2: two are paid, one is cancelled. The SKU of order 7 is 70.
async fn changes(shop: &Shop) {
    use OrderStatus::{AwaitingPayment, Cancelled, New, Paid};
    for (id, owner, last) in [(7, 1, Paid), (8, 1, Cancelled), (9, 2, Paid)] {
        for status in [New, AwaitingPayment, last] {
            shop.change(id, owner, status).await;
        }
    }
}

/// Who asks, for what, and the orders and versions that it finds.
type Case<'a> = (&'a str, &'a str, &'a [(i64, i64)]);

/// Each filter, alone and with others, and the same behind the first frame of a stream with another filter. Seen red with the
/// arguments passed over.
#[tokio::test]
async fn a_filter_finds_its_changes_from_whatever_place() {
    let shop = Shop::start().await;
    let (customer, operator) = (shop.token(1), shop.ops());
    let mut all = Sse::open(&shop, &operator, &query("allOrderEvents"), None)
        .await
        .opened()
        .await;
    let begin = all.last_id.clone();
    changes(&shop).await;
    let all = all.take(9).await;
    let paid = [(7, 3), (9, 3)];
    let cases: [Case<'_>; 8] = [
        (
            &customer,
            "myOrderEvents",
            &[(7, 1), (7, 2), (7, 3), (8, 1), (8, 2), (8, 3)],
        ),
        (&customer, "myOrderEvents(status: PAID)", &paid[..1]),
        (&operator, "allOrderEvents(status: PAID)", &paid),
        (
            &operator,
            r#"allOrderEvents(sku: "70")"#,
            &[(7, 1), (7, 2), (7, 3)],
        ),
        (&operator, "allOrderEvents(sku: 90, status: NEW)", &[(9, 1)]),
        (
            &operator,
            r#"allOrderEvents(userId: "2")"#,
            &[(9, 1), (9, 2), (9, 3)],
        ),
        (
            &operator,
            r#"allOrderEvents(userId: "1", status: PAID, sku: "70")"#,
            &paid[..1],
        ),
        (
            &operator,
            "allOrderEvents(userId: null, status: CANCELLED, sku: null)",
            &[(8, 3)],
        ),
    ];
    for (token, field, expected) in cases {
        let mut stream = Sse::open(&shop, token, &query(field), begin.as_deref()).await;
        assert_eq!(
            told(&stream.take(expected.len()).await),
            expected,
            "{field}"
        );
        // A place is of the log: what an unfiltered stream gave is good here.
        for (at, frame) in all.iter().enumerate() {
            let behind = told(&all[at + 1..]);
            let behind: Vec<_> = behind
                .into_iter()
                .filter(|it| expected.contains(it))
                .collect();
            let mut resumed = Sse::open(&shop, token, &query(field), frame.id.as_deref()).await;
            assert_eq!(
                told(&resumed.take(behind.len()).await),
                behind,
                "{field} from {at}"
            );
        }
    }
    shop.stop().await;
}

/// The live part of it: what comes while the stream is open, through variables.
#[tokio::test]
async fn a_filtered_stream_hears_what_comes_and_only_that() {
    let shop = Shop::start().await;
    let query = format!(
        "subscription ($of: ID, $status: OrderStatus) {{ allOrderEvents(userId: $of, status: $status) {FIELDS} }}"
    );
    let (one, two) = (json!({"of": "1", "status": "PAID"}), json!({"of": "2"}));
    let mut one = Sse::open_with(&shop, &shop.ops(), &query, &one)
        .await
        .opened()
        .await;
    let mut two = Sse::open_with(&shop, &shop.ops(), &query, &two)
        .await
        .opened()
        .await;
    changes(&shop).await;
    assert_eq!(told(&one.take(1).await), [(7, 3)]);
    assert_eq!(told(&two.take(3).await), [(9, 1), (9, 2), (9, 3)]);
    shop.change(10, 1, OrderStatus::Paid).await;
    assert_eq!(told(&one.take(1).await), [(10, 1)]);
    drop((one, two));
    shop.stop().await;
}

/// Nobody sees more by an argument than without it, and what cannot be read is refused and not passed over.
#[tokio::test]
async fn what_may_not_be_read_and_what_is_no_filter_is_refused() {
    let shop = Shop::start().await;
    let (customer, operator) = (shop.token(1), shop.ops());
    for (token, field, code) in [
        (&customer, r#"allOrderEvents(userId: "1")"#, "FORBIDDEN"),
        (
            &customer,
            r#"allOrderEvents(sku: "70", status: PAID)"#,
            "FORBIDDEN",
        ),
        (&operator, r#"allOrderEvents(sku: "x")"#, "INVALID_ARGUMENT"),
        (&operator, "allOrderEvents(sku: 0)", "INVALID_ARGUMENT"),
        (
            &operator,
            r#"allOrderEvents(userId: "")"#,
            "INVALID_ARGUMENT",
        ),
        (
            &operator,
            "allOrderEvents(status: LOST)",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            &customer,
            r#"myOrderEvents(userId: "2")"#,
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ] {
        let mut stream = Sse::open(&shop, token, &query(field), None).await;
        let refused = stream.next().await.expect("a refusal");
        assert_eq!(refused.code(), code, "{field}: {refused:?}");
    }
    shop.stop().await;
}

/// Also where nothing of the filter can be gone.
#[tokio::test]
async fn a_place_that_is_gone_is_a_gap_under_any_filter() {
    let other = Shop::start().await;
    other.change(7, 1, OrderStatus::New).await;
    let mut stream = Sse::open(&other, &other.token(1), &query("myOrderEvents"), None).await;
    other.change(7, 1, OrderStatus::AwaitingPayment).await;
    let cursor = stream.next().await.expect("a frame").id;
    drop(stream);
    other.stop().await;

    let shop = Shop::start().await;
    shop.change(7, 1, OrderStatus::New).await;
    let field = r#"allOrderEvents(sku: "80", status: PAID)"#;
    let mut resumed = Sse::open(&shop, &shop.ops(), &query(field), cursor.as_deref()).await;
    assert_eq!(resumed.next().await.expect("a gap").kind(), "GAP");
    changes(&shop).await;
    shop.change(8, 1, OrderStatus::Paid).await;
    assert_eq!(told(&resumed.take(1).await), [(8, 4)]);
    drop(resumed);
    shop.stop().await;
}

const NOTHING: &str = r#"allOrderEvents(sku: "990")"#;

/// What a quiet stream has passed over must not be read again, and may be gone by then. Seen red with a stream that stays at its
/// last frame.
#[tokio::test]
async fn a_stream_whose_filter_finds_nothing_moves_on_all_the_same() {
    let shop = Shop::with(|config| {
        // A socket whose client says nothing for three of them is closed, and this one is busy with other things meanwhile.
        config.stream.heartbeat_interval = Duration::from_millis(400);
    })
    .await;
    let operator = shop.ops();
    let mut quiet = Sse::open(&shop, &operator, &query(NOTHING), None)
        .await
        .opened()
        .await;
    let mut socket = Socket::greeted(&shop, &operator).await;
    let resume = json!({"resume": quiet.last_id});
    socket.subscribe("a", &query(NOTHING), resume).await;
    changes(&shop).await;
    let end = shop.end().await;
    while quiet.moves_on().await != end {}
    let mut place = String::new();
    while place != end {
        let ping = socket.hear().await;
        assert_eq!(
            (&ping["type"], &ping["payload"]["id"]),
            (&json!("ping"), &json!("a"))
        );
        ping["payload"]["cursor"]
            .as_str()
            .expect("a cursor")
            .clone_into(&mut place);
        socket
            .say(json!({"type": "pong", "payload": ping["payload"]}))
            .await;
    }

    // Nothing before the place comes again, under whatever filter, and what comes after it comes once.
    shop.change(99, 1, OrderStatus::New).await;
    let mut all = Sse::open(&shop, &operator, &query("allOrderEvents"), Some(&place)).await;
    let mut again = Sse::open(&shop, &operator, &query(NOTHING), Some(&end)).await;
    for stream in [&mut all, &mut again, &mut quiet] {
        assert_eq!(told(&stream.take(1).await), [(99, 1)]);
    }
    assert_eq!(
        socket.hear().await["payload"]["data"]["allOrderEvents"]["orderId"],
        "99"
    );
    drop((all, again, quiet, socket));
    shop.stop().await;
}

/// A stream that stops says the place that it has come to, also between two heartbeats. Seen red as above.
#[tokio::test]
async fn the_end_of_a_quiet_stream_is_where_it_has_come_to() {
    let shop = Shop::start().await;
    let resume = json!({"resume": shop.end().await});
    let mut socket = Socket::greeted(&shop, &shop.ops()).await;
    socket.subscribe("a", &query(NOTHING), resume).await;
    shop.change(99, 1, OrderStatus::New).await;
    assert_eq!(socket.hear().await["type"], "next");
    changes(&shop).await;
    let end = shop.end().await;
    let stopping = shop.tasks.shutdown(Duration::from_secs(10));
    let (late, (code, reason, _)) = tokio::join!(stopping, socket.closed());
    assert!(late.is_empty(), "tasks that did not stop: {late:?}");
    assert_eq!(
        (code, reason),
        (1012, format!("SERVER_DRAINING: resume after {end}"))
    );
}
