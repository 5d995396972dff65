//! Subscriptions of subgraphs of others: over SSE and WebSocket, shared, opened again, with entities of another subgraph.

use std::{
    convert::Infallible,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{State, WebSocketUpgrade, ws},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{any, post},
};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::{client::Sse, reload, shop::Shop};

/// What the subgraph does next with every open subscription.
#[derive(Debug, Clone, Copy)]
enum Do {
    Price(u32),
    Break,
    Complete,
}

/// A subgraph that prices items, live, and one that names them.
#[derive(Clone)]
struct Feed {
    acts: broadcast::Sender<Do>,
    opened: Arc<AtomicUsize>,
    sockets: Arc<AtomicUsize>,
}

impl Feed {
    async fn serve() -> (Self, String) {
        let feed = Self {
            acts: broadcast::channel(64).0,
            opened: Arc::default(),
            sockets: Arc::default(),
        };
        let routes = Router::new()
            .route("/prices", post(prices))
            .route("/names", post(names))
            .route("/ws", any(socket))
            .with_state(feed.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("bound");
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (feed, address.to_string())
    }

    /// Waits until so many subscriptions are open, then acts.
    async fn act(&self, open: usize, act: Do) {
        testkit::eventually("open", Duration::from_secs(20), async || {
            (self.acts.receiver_count() == open).then_some(())
        })
        .await;
        self.acts.send(act).expect("somebody listens");
    }

    fn hear(&self) -> broadcast::Receiver<Do> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        self.acts.subscribe()
    }
}

fn priced(price: u32) -> Value {
    json!({ "data": { "priced": { "__typename": "Item", "id": "1", "price": price, "currency": "EUR" } } })
}

async fn prices(State(feed): State<Feed>) -> Response {
    let acts = feed.hear();
    let events = futures::stream::unfold(Some(acts), |acts| async {
        let mut acts = acts?;
        match acts.recv().await.ok()? {
            Do::Price(price) => {
                let text = format!(":\n\nevent: next\ndata: {}\n\n", priced(price));
                Some((Ok::<_, Infallible>(Bytes::from(text)), Some(acts)))
            }
            Do::Break => None,
            Do::Complete => Some((Ok(Bytes::from("event: complete\ndata:\n\n")), None)),
        }
    });
    let kind = [("content-type", "text/event-stream")];
    (kind, Body::from_stream(events)).into_response()
}

async fn names(body: String) -> Response {
    if body.contains("subscription") {
        return (StatusCode::NOT_ACCEPTABLE, "no streams here").into_response();
    }
    Json(json!({ "data": { "_entities": [{ "__typename": "Item", "name": "one" }] } }))
        .into_response()
}

async fn socket(State(feed): State<Feed>, upgrade: WebSocketUpgrade) -> Response {
    feed.sockets.fetch_add(1, Ordering::SeqCst);
    let upgrade = upgrade.protocols(["graphql-transport-ws"]);
    upgrade.on_upgrade(move |socket| async move { talk(feed, socket).await.unwrap_or_default() })
}

async fn talk(feed: Feed, mut socket: ws::WebSocket) -> Option<()> {
    let say = |message: Value| ws::Message::text(message.to_string());
    let mut acts = feed.acts.subscribe();
    let mut ids = Vec::new();
    loop {
        tokio::select! {
            heard = socket.next() => {
                let Some(Ok(ws::Message::Text(text))) = heard else { return None };
                let message: Value = serde_json::from_str(&text).expect("JSON");
                match message["type"].as_str()? {
                    "connection_init" => socket.send(say(json!({ "type": "connection_ack" }))).await.ok()?,
                    "ping" => socket.send(say(json!({ "type": "pong" }))).await.ok()?,
                    "subscribe" => {
                        feed.opened.fetch_add(1, Ordering::SeqCst);
                        ids.push(message["id"].clone());
                    }
                    _ => {}
                }
            }
            act = acts.recv() => match act.ok()? {
                Do::Price(price) => for id in &ids {
                    let next = json!({ "type": "next", "id": id, "payload": priced(price) });
                    socket.send(say(next)).await.ok()?;
                },
                Do::Complete => for id in ids.drain(..) {
                    socket.send(say(json!({ "type": "complete", "id": id }))).await.ok()?;
                },
                Do::Break => return None,
            }
        }
    }
}

fn supergraph(address: &str) -> String {
    format!(
        r#"schema @link(url: "https://specs.apollo.dev/link/v1.0") @link(url: "https://specs.apollo.dev/join/v0.3", for: EXECUTION) {{ query: Query subscription: Subscription }}
directive @join__enumValue(graph: join__Graph!) repeatable on ENUM_VALUE
directive @join__graph(name: String!, url: String!) on ENUM_VALUE
directive @join__field(graph: join__Graph, requires: join__FieldSet, provides: join__FieldSet, type: String, external: Boolean, override: String, usedOverridden: Boolean) repeatable on FIELD_DEFINITION | INPUT_FIELD_DEFINITION
directive @join__implements(graph: join__Graph!, interface: String!) repeatable on OBJECT | INTERFACE
directive @join__type(graph: join__Graph!, key: join__FieldSet, extension: Boolean! = false, resolvable: Boolean! = true, isInterfaceObject: Boolean! = false) repeatable on OBJECT | INTERFACE | UNION | ENUM | INPUT_OBJECT | SCALAR
directive @join__unionMember(graph: join__Graph!, member: String!) repeatable on UNION
directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
scalar join__FieldSet
scalar link__Import
enum link__Purpose {{ SECURITY EXECUTION }}
enum join__Graph {{ PRICES @join__graph(name: "prices", url: "http://{address}/prices") NAMES @join__graph(name: "names", url: "http://{address}/names") }}
type Query @join__type(graph: PRICES) @join__type(graph: NAMES) {{ item: Item @join__field(graph: PRICES) }}
type Subscription @join__type(graph: PRICES) @join__type(graph: NAMES) {{
  priced: Item @join__field(graph: PRICES)
  named: Item @join__field(graph: NAMES)
}}
type Item @join__type(graph: PRICES, key: "id") @join__type(graph: NAMES, key: "id") {{
  id: ID!
  price: Int @join__field(graph: PRICES)
  currency: String @join__field(graph: PRICES)
  name: String @join__field(graph: NAMES)
}}
"#
    )
}

async fn shop(address: &str, subscription_url: Option<String>) -> (Shop, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file: PathBuf = folder.path().join("supergraph.graphql");
    std::fs::write(&file, supergraph(address)).expect("written");
    let shop = Shop::with(|config| {
        config.supergraph = file.display().to_string();
        let rules = config.subgraphs.entry("prices".to_owned()).or_default();
        rules.subscription_url = subscription_url;
    });
    (shop.await, folder)
}

const PRICED: &str = "subscription { priced { price name } }";

async fn price(stream: &mut Sse) -> (Value, bool) {
    let frame = stream.next().await.expect("a frame");
    assert_eq!(frame.id, None, "{frame:?}");
    let item = &frame.data["data"]["priced"];
    assert_eq!(item["name"], "one", "{frame:?}");
    let may_be_missing = &frame.data["extensions"]["eventsMayBeMissing"];
    (item["price"].clone(), *may_be_missing == true)
}

#[tokio::test]
async fn clients_share_an_upstream_which_is_opened_again_and_completed() {
    let (feed, address) = Feed::serve().await;
    let (shop, _folder) = shop(&address, None).await;
    let token = shop.token(1);
    let mut one = Sse::open(&shop, &token, PRICED, None).await;
    let mut other = Sse::open(&shop, &token, PRICED, None).await;
    feed.act(1, Do::Price(1)).await;
    for stream in [&mut one, &mut other] {
        assert_eq!(price(stream).await, (json!(1), false));
    }
    assert_eq!(feed.opened.load(Ordering::SeqCst), 1);
    feed.act(1, Do::Break).await;
    testkit::eventually("opened again", Duration::from_secs(20), async || {
        (feed.opened.load(Ordering::SeqCst) == 2).then_some(())
    })
    .await;
    feed.act(1, Do::Price(2)).await;
    for stream in [&mut one, &mut other] {
        assert_eq!(price(stream).await, (json!(2), true));
    }
    feed.act(1, Do::Price(3)).await;
    assert_eq!(price(&mut one).await, (json!(3), false));
    let engine = shop.service.engine();
    engine
        .reload(&supergraph(&address))
        .await
        .expect("it loads");
    feed.act(1, Do::Price(4)).await;
    assert_eq!(price(&mut one).await, (json!(4), false));
    assert_eq!(
        feed.opened.load(Ordering::SeqCst),
        2,
        "the upstream outlives a reload"
    );
    drop(other);
    feed.act(1, Do::Complete).await;
    let end = one.next().await.expect("an end");
    assert_eq!((end.event.as_str(), &end.data), ("complete", &Value::Null));
    let mut refused = Sse::open(&shop, &token, "subscription { named { name } }", None).await;
    let refusal = refused.next().await.expect("a refusal");
    assert_eq!(refusal.code(), "UNAVAILABLE", "{refusal:?}");
    shop.stop().await;
}

/// Seen red with streams that go on as they were planned.
#[tokio::test]
async fn a_stream_whose_subgraph_is_taken_away_ends_and_nothing_is_asked_of_it_any_more() {
    let (feed, address) = Feed::serve().await;
    let (shop, _folder) = shop(&address, None).await;
    let mut stream = Sse::open(&shop, &shop.token(1), PRICED, None).await;
    feed.act(1, Do::Price(1)).await;
    assert_eq!(price(&mut stream).await, (json!(1), false));
    let others = reload::graph(&format!("http://{address}/names"), "seen");
    let engine = shop.service.engine();
    engine.reload(&others).await.expect("it loads");
    let end = stream.next().await.expect("an end");
    assert_eq!(end.code(), "GRAPHQL_VALIDATION_FAILED", "{end:?}");
    let extensions = &end.data["errors"][0]["extensions"];
    assert_eq!(extensions["reason"], "SCHEMA_CHANGED");
    testkit::eventually("it is left", Duration::from_secs(20), async || {
        (feed.acts.receiver_count() == 0).then_some(())
    })
    .await;
    let series = "marketplace_router_upstream_subscriptions{subgraph=\"prices\"}";
    testkit::eventually("it counts no more", Duration::from_secs(20), async || {
        (shop.metric(series).await < 1.0).then_some(())
    })
    .await;
    shop.stop().await;
}

#[tokio::test]
async fn different_operations_share_a_socket_which_is_opened_again() {
    let (feed, address) = Feed::serve().await;
    let url = format!("ws://{address}/ws");
    let (shop, _folder) = shop(&address, Some(url)).await;
    let token = shop.token(1);
    let mut one = Sse::open(&shop, &token, PRICED, None).await;
    let mut other = Sse::open(
        &shop,
        &token,
        "subscription { priced { price name currency } }",
        None,
    )
    .await;
    let is_open = async |count: usize| {
        testkit::eventually("subscribed", Duration::from_secs(20), async || {
            (feed.opened.load(Ordering::SeqCst) == count).then_some(())
        })
        .await;
    };
    is_open(2).await;
    assert_eq!(feed.sockets.load(Ordering::SeqCst), 1);
    feed.act(1, Do::Price(1)).await;
    for stream in [&mut one, &mut other] {
        assert_eq!(price(stream).await, (json!(1), false));
    }
    feed.act(1, Do::Break).await;
    is_open(4).await;
    feed.act(1, Do::Price(2)).await;
    for stream in [&mut one, &mut other] {
        assert_eq!(price(stream).await, (json!(2), true));
    }
    feed.act(1, Do::Complete).await;
    for stream in [&mut one, &mut other] {
        assert_eq!(stream.next().await.expect("an end").event, "complete");
    }
    shop.stop().await;
}
