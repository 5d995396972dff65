//! Streams of a domain that no code here knows: the parcels of `examples/streams`, from a topic of their own in a real broker.

use std::time::Duration;

use axum::{Json, Router, routing::post};
use chassis::kafka;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};

use super::{
    client::{Frame, Socket, Sse},
    shop::Shop,
};

const GRAPH: &str = include_str!("../../../../examples/streams/supergraph.graphql");
/// No token.
const NOBODY: &str = "";
const OF_ONE: &str = r#"subscription { parcelEvents(parcelId: "p-1") { kind cursor parcelId version status place parcel { address } } }"#;
const OF_ALL: &str = "subscription { allParcelEvents { kind parcelId version status } }";

/// The topic, and the service whose parcels these are: it knows the first version of all.
struct Parcels {
    topic: String,
    producer: FutureProducer,
    address: String,
}

impl Parcels {
    async fn new() -> Self {
        let topic = testkit::topic(2).await;
        let kafka = kafka::Config {
            brokers: testkit::kafka().await.to_owned(),
            ..kafka::Config::default()
        };
        let routes = Router::new().route("/", post(parcel));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("bound");
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self {
            topic,
            producer: kafka::producer(&kafka).expect("a producer"),
            address: format!("http://{address}/"),
        }
    }

    fn graph(&self) -> String {
        GRAPH
            .replace("parcels.changes", &self.topic)
            .replace("http://127.0.0.1:4301/graphql", &self.address)
    }

    /// A router over the parcels alone.
    async fn router(&self) -> (Shop, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("supergraph.graphql");
        std::fs::write(&file, self.graph()).expect("written");
        let shop = Shop::with(|config| config.supergraph = file.display().to_string());
        (shop.await, folder)
    }

    async fn write(&self, key: Option<&str>, value: &str) {
        let mut record = FutureRecord::<str, str>::to(&self.topic).payload(value);
        record.key = key;
        let sent = self.producer.send(record, Duration::from_secs(10)).await;
        sent.expect("the broker takes it");
    }

    async fn change(&self, parcel: &str, version: u32, status: &str) {
        let value = json!({ "version": version, "status": status, "place": "Hull", "more": {} });
        self.write(Some(parcel), &value.to_string()).await;
    }
}

async fn parcel(body: String) -> Json<Value> {
    if body.contains("_entities") {
        let entity = json!({ "__typename": "Parcel", "address": "Mill Lane 1" });
        return Json(json!({ "data": { "_entities": [entity] } }));
    }
    // A field with arguments has a response key of the router's.
    let before = body.split("parcel(").next().unwrap_or_default();
    let key = before.trim_end().strip_suffix(':').unwrap_or("parcel");
    let start = key.rfind(|it: char| !it.is_alphanumeric() && it != '_');
    let key = &key[start.map_or(0, |it| it + 1)..];
    Json(json!({ "data": { key: { "version": 1, "status": "ACCEPTED" } } }))
}

fn told(frames: &[Frame]) -> Vec<(&str, i64)> {
    let told = frames.iter().map(|frame| (frame.kind(), frame.version()));
    told.collect()
}

#[tokio::test]
async fn a_stream_of_another_domain_loses_and_repeats_nothing_over_routers_and_transports() {
    let parcels = Parcels::new().await;
    parcels.change("p-1", 1, "ACCEPTED").await;
    let (first, _folder) = parcels.router().await;
    let mut page = Sse::open(&first, NOBODY, OF_ONE, None).await;
    let snapshot = page.next().await.expect("a snapshot");
    let shown = json!({
        "kind": "SNAPSHOT", "cursor": snapshot.id, "parcelId": "p-1", "version": 1,
        "status": "ACCEPTED", "place": null, "parcel": { "address": "Mill Lane 1" },
    });
    assert_eq!(snapshot.data["data"]["parcelEvents"], shown);

    for (parcel, version) in [("p-1", 2), ("p-2", 1), ("p-1", 2), ("p-2", 2), ("p-1", 3)] {
        parcels.change(parcel, version, "ON_THE_WAY").await;
    }
    let frames = page.take(2).await;
    assert_eq!(told(&frames), [("CHANGE", 2), ("CHANGE", 3)]);
    let change = &frames[1].data["data"]["parcelEvents"];
    assert_eq!(
        (&change["place"], &change["status"]),
        (&json!("Hull"), &json!("ON_THE_WAY"))
    );
    assert_eq!(change["parcel"]["address"], "Mill Lane 1");
    assert_eq!(frames[1].id.as_deref(), change["cursor"].as_str());
    let cursor = frames[0].id.clone().expect("a cursor");
    drop(page);
    first.stop().await;

    parcels.change("p-1", 4, "DELIVERED").await;
    let (second, _folder) = parcels.router().await;
    let mut page = Sse::open(&second, NOBODY, OF_ONE, Some(&cursor)).await;
    let (mut socket, _) = Socket::greeted_with(&second, json!({})).await;
    socket
        .subscribe("1", OF_ONE, json!({ "resume": cursor }))
        .await;
    assert_eq!(told(&page.take(2).await), [("CHANGE", 3), ("CHANGE", 4)]);
    for version in [3, 4] {
        let message = socket.hear().await;
        let event = &message["payload"]["data"]["parcelEvents"];
        assert_eq!(event["version"], version, "{message}");
    }
    parcels.change("p-1", 5, "DELIVERED").await;
    assert_eq!(told(&page.take(1).await), [("CHANGE", 5)]);
    second.stop().await;
}

#[tokio::test]
async fn a_filter_is_a_member_of_the_message() {
    let parcels = Parcels::new().await;
    let (router, _folder) = parcels.router().await;
    let delivered = "subscription { allParcelEvents(status: DELIVERED) { kind parcelId version } }";
    let mut some = Sse::open(&router, NOBODY, delivered, None)
        .await
        .opened()
        .await;
    let mut all = Sse::open(&router, NOBODY, OF_ALL, None)
        .await
        .opened()
        .await;
    for (parcel, version, status) in [
        ("a", 1, "ACCEPTED"),
        ("b", 1, "DELIVERED"),
        ("a", 2, "DELIVERED"),
    ] {
        parcels.change(parcel, version, status).await;
    }
    let mut found = some.take(2).await;
    found.sort_by_key(Frame::version);
    assert_eq!(told(&found), [("CHANGE", 1), ("CHANGE", 2)]);
    assert_eq!(all.take(3).await.len(), 3);
    router.stop().await;
}

/// Meant against a message that is passed over: its client believes that it knows every change.
#[tokio::test]
async fn a_message_that_cannot_be_read_is_a_gap_to_all_whom_it_may_concern() {
    let parcels = Parcels::new().await;
    let (router, _folder) = parcels.router().await;
    let mut one = Sse::open(&router, NOBODY, OF_ONE, None).await;
    assert_eq!(told(&one.take(1).await), [("SNAPSHOT", 1)]);
    let mut all = Sse::open(&router, NOBODY, OF_ALL, None)
        .await
        .opened()
        .await;

    // Another's is no affair of this one's.
    parcels.write(Some("p-2"), "garbage").await;
    let gaps = all.take(1).await;
    assert_eq!(gaps[0].kind(), "GAP");
    assert_eq!(
        gaps[0].data["data"]["allParcelEvents"]["parcelId"],
        Value::Null
    );
    for bad in [
        r#"{"status":"ON_THE_WAY"}"#,
        r#"{"version":"2"}"#,
        r#"{"version":0}"#,
        "[]",
        "",
    ] {
        parcels.write(Some("p-1"), bad).await;
        let gap = one.next().await.expect("a gap");
        assert_eq!(gap.kind(), "GAP", "{bad}");
        assert_eq!(gap.data["data"]["parcelEvents"]["parcelId"], "p-1");
        assert_eq!(all.next().await.expect("a gap").kind(), "GAP", "{bad}");
    }
    // Whose it was nobody knows.
    parcels.write(None, r#"{"version":2}"#).await;
    let gap = one.next().await.expect("a gap");
    assert_eq!(gap.kind(), "GAP");
    assert_eq!(all.next().await.expect("a gap").kind(), "GAP");

    parcels.change("p-1", 2, "ON_THE_WAY").await;
    let change = one.take(1).await;
    assert_eq!(told(&change), [("CHANGE", 2)]);
    // Behind the gap it is told no more.
    let after = change[0].id.clone();
    parcels.change("p-1", 3, "DELIVERED").await;
    let mut again = Sse::open(&router, NOBODY, OF_ONE, after.as_deref()).await;
    assert_eq!(told(&again.take(1).await), [("CHANGE", 3)]);
    let series = format!(
        "marketplace_stream_unreadable_total{{topic=\"{}\"}}",
        parcels.topic
    );
    assert!((router.metric(&series).await - 7.0).abs() < f64::EPSILON);
    router.stop().await;
}

/// A wrong value of a message is null with an error, as a subgraph's is.
#[tokio::test]
async fn a_member_of_a_wrong_type_is_null_with_an_error() {
    let parcels = Parcels::new().await;
    let (router, _folder) = parcels.router().await;
    let mut all = Sse::open(&router, NOBODY, OF_ALL, None)
        .await
        .opened()
        .await;
    parcels
        .write(Some("p-1"), r#"{"version":1,"status":{}}"#)
        .await;
    let frame = all.next().await.expect("a frame");
    assert_eq!(told(std::slice::from_ref(&frame)), [("CHANGE", 1)]);
    assert_eq!(frame.data["data"]["allParcelEvents"]["status"], Value::Null);
    assert!(frame.data["errors"][0].is_object(), "{frame:?}");
    router.stop().await;
}

#[tokio::test]
async fn a_stream_that_could_not_be_served_is_refused_and_what_is_served_stays() {
    let parcels = Parcels::new().await;
    let (router, _folder) = parcels.router().await;
    let mut page = Sse::open(&router, NOBODY, OF_ONE, None).await;
    assert_eq!(told(&page.take(1).await), [("SNAPSHOT", 1)]);
    let engine = router.service.engine();
    for (from, to, why) in [
        (
            r#"key: "parcelId""#,
            r#"key: "id""#,
            "Subscription.parcelEvents @stream: key: ParcelEvent has no field id",
        ),
        (
            "parcel(id: $key) { version status }",
            "parcel(id: $key) { colour }",
            "Subscription.parcelEvents @stream: state: ",
        ),
    ] {
        let refused = engine.reload(&parcels.graph().replace(from, to)).await;
        let refused = refused.expect_err(to).to_string();
        assert!(refused.starts_with(why), "{refused}");
    }
    engine.reload(&parcels.graph()).await.expect("it loads");
    parcels.change("p-1", 2, "DELIVERED").await;
    assert_eq!(told(&page.take(1).await), [("CHANGE", 2)]);
    router.stop().await;
}
