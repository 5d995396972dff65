//! The engineer who follows one click: every step of a checkout is in one trace, over processes and through Kafka.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use serde_json::json;
use testkit::{Collector, edges, eventually};

use crate::shop::{Arrangement, Shop, free_offset, new_user};
use crate::telemetry_page::rows;

/// On sale and in stock. Source: docs/contracts.md §4 and §5.
const SKU: &str = "1076963";
const LIMIT: Duration = Duration::from_secs(20);

/// Parent and child of every step that the trace must have; `sql` is any statement.
const STEPS: [(&str, &str); 16] = [
    ("POST /graphql", "plan"),
    ("POST /graphql", "fetch cart"),
    ("fetch cart", "subgraph cart"),
    ("subgraph cart", "sql"),
    ("subgraph cart", "GET product"),
    ("GET product", "GET /product/{sku}"),
    ("subgraph cart", "loms.Loms/OrderCreate"),
    ("loms.Loms/OrderCreate", "loms.Loms/OrderCreate"),
    ("loms.Loms/OrderCreate", "group"),
    ("group", "sql"),
    ("loms.Loms/OrderCreate", "publish loms.order-events"),
    ("publish loms.order-events", "handle order event"),
    ("handle order event", "sql"),
    ("publish loms.order-events", "order event frame"),
    ("order event frame", "fetch loms"),
    ("fetch loms", "subgraph loms"),
];

/// Seen red with the header of the outbox row left out of the Kafka message.
#[tokio::test]
async fn a_checkout_is_one_trace_from_the_click_to_the_notifier_and_the_frame() {
    let collector = Collector::start().await;
    let folder = tempfile::TempDir::with_prefix("marketplace-trace-").unwrap();
    let endpoint = format!("telemetry.otlp_endpoint={}", collector.endpoint());
    let arrangement = Arrangement::Processes;
    let shop = Shop::start_in(folder.path(), arrangement, free_offset(), &[endpoint]).await;
    let token = shop.token(new_user(), false).await;
    let mut frames = watch(&shop, &token).await;

    // The product's price is looked up when it comes into the cart, so both requests are of one trace.
    let trace = uuid::Uuid::new_v4().simple().to_string();
    let add = format!(
        "mutation {{ addToCart(input: {{sku: \"{SKU}\", count: 1}}) {{ userErrors {{ code }} }} }}"
    );
    let checkout = "mutation { checkout { order { id total { amount } } userErrors { code } } }";
    for query in [add.as_str(), checkout] {
        let request = shop.http().post(format!("{}/graphql", shop.url(4000)));
        let request = request.bearer_auth(&token);
        let request = request.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
        let answer = request
            .json(&json!({ "query": query }))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
    }
    until(&mut frames, "AWAITING_PAYMENT").await;

    let missing = |seen: &BTreeSet<(String, String)>| -> Vec<_> {
        let is_there = |(parent, child): &&(&str, &str)| {
            seen.iter().any(|(from, to)| {
                from == parent && (to == child || *child == "sql" && to.starts_with("sea_orm."))
            })
        };
        STEPS.iter().filter(|step| !is_there(step)).collect()
    };
    let found = tokio::time::timeout(LIMIT, async {
        eventually("the trace is whole", LIMIT * 2, async || {
            missing(&edges(&collector.trace(&trace)))
                .is_empty()
                .then_some(())
        })
        .await;
    });
    let is_whole = found.await.is_ok();
    let spans = collector.trace(&trace);
    let seen = edges(&spans);
    assert!(is_whole, "missing {:?} in {seen:#?}", missing(&seen));

    // What docs/telemetry.md shows.
    eprintln!("{}", testkit::tree(&spans));
    let services: BTreeSet<_> = spans.iter().map(|span| span.service.as_str()).collect();
    let expected = ["cart", "loms", "notifier", "product-service", "router"];
    assert_eq!(services, BTreeSet::from(expected));
    let frame = spans.iter().find(|span| span.name == "order event frame");
    let links = &frame.unwrap().links;
    assert!(
        links.iter().all(|other| *other != trace) && links.len() == 1,
        "{links:?}"
    );
    assert_spans_are_listed(&collector.names());
    shop.stop().await;
}

/// Opens a stream of the user's own orders.
async fn watch(
    shop: &Shop,
    token: &str,
) -> impl Stream<Item = reqwest::Result<Bytes>> + Unpin + use<> {
    let query =
        "subscription { myOrderEvents { kind status order { lines { product { name } } } } }";
    let request = shop.http().post(format!("{}/graphql", shop.url(4000)));
    let request = request
        .bearer_auth(token)
        .header("accept", "text/event-stream");
    let stream = request
        .json(&json!({ "query": query }))
        .send()
        .await
        .unwrap();
    let mut frames = stream.bytes_stream().boxed();
    // The head of the stream says that it has begun.
    frames.next().await.unwrap().unwrap();
    frames
}

async fn until(frames: &mut (impl Stream<Item = reqwest::Result<Bytes>> + Unpin), word: &str) {
    let read = async {
        let mut text = String::new();
        while !text.contains(word) {
            let bytes = frames.next().await.expect("the stream goes on").unwrap();
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
    };
    let read = tokio::time::timeout(LIMIT, read).await;
    read.expect("a frame in time");
}

const ELSEWHERE: [&str; 3] = [
    "WebSocket operation",
    "event stream operation",
    "POST webhook",
];

/// The page's table of spans and what arrived are the same, but for WebSockets, single connections and webhooks, which this shop
/// has none of.
/// Seen red with a span that the page does not have.
fn assert_spans_are_listed(seen: &BTreeSet<String>) {
    let listed: Vec<String> = rows("### Spans")
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    let strange: Vec<_> = seen
        .iter()
        .filter(|name| {
            !listed
                .iter()
                .any(|pattern| fits(pattern.trim_matches('`'), name))
        })
        .collect();
    assert!(strange.is_empty(), "not listed: {strange:?}");
    let unknown: Vec<_> = listed
        .iter()
        .map(|pattern| pattern.trim_matches('`'))
        .filter(|pattern| !ELSEWHERE.contains(pattern))
        .filter(|pattern| !seen.iter().any(|name| fits(pattern, name)))
        .collect();
    assert!(unknown.is_empty(), "listed and never seen: {unknown:?}");
}

/// Whether a span's name is of the page's form: capitals and `*` stand for what differs.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern {
        "METHOD /route" => name
            .split_once(" /")
            .is_some_and(|(method, _)| method.chars().all(|letter| letter.is_ascii_uppercase())),
        "package.Service/Method" => name.contains('/') && !name.contains(' '),
        pattern => {
            match pattern.find(|letter: char| letter == '*' || letter.is_ascii_uppercase()) {
                Some(varies) if varies > 0 => name.starts_with(&pattern[..varies]),
                _ => name == pattern,
            }
        }
    }
}
