//! Another graph while clients are served: live streams go on, and a graph of others needs nothing of the shop.

use std::{path::Path, time::Duration};

use axum::{Router, response::IntoResponse, routing::post};
use futures::future::join_all;
use schema::event::OrderStatus;
use serde_json::{Value, json};

use super::{client::Sse, shop::Shop};

const STREAMS: usize = 50;
const RELOADS: usize = 20;

/// The shop's graph, and the same without the field `Order.history`.
fn graphs() -> [String; 2] {
    let graph = schema::sdl::SUPERGRAPH;
    let field = "\"\"\"Every status it had, oldest first.\"\"\"\n  history: [OrderStatusChange!]! @join__field(graph: LOMS)";
    // The state that `orderEvents` begins with asks for it, too.
    let without = graph.replace(field, "");
    let without = without.replace(" history { version at }", "");
    assert!(without.len() < graph.len());
    [graph.to_owned(), without]
}

#[tokio::test]
async fn live_streams_see_every_event_once_over_many_reloads_and_only_what_is_no_operation_any_more_ends()
 {
    let shop = Shop::start().await;
    let engine = shop.service.engine();
    let token = shop.token(1);
    let mine = "subscription { myOrderEvents { kind version order { id version } } }";
    let old = "subscription { myOrderEvents { kind version order { id history { version } } } }";
    let open = |query: &'static str| Sse::open(&shop, &token, query, None);
    let mut streams = join_all((0..STREAMS).map(|_| open(mine))).await;
    let mut doomed = open(old).await;
    let graphs = graphs();
    shop.change(7, 1, OrderStatus::New).await;
    let last = doomed.next().await.expect("a frame");
    for reload in 0..RELOADS {
        engine
            .reload(&graphs[(reload + 1) % 2])
            .await
            .expect("it loads");
        shop.announce(
            7,
            1,
            u32::try_from(reload).expect("few") + 2,
            OrderStatus::New,
        )
        .await;
    }
    let end = doomed.next().await.expect("an end");
    assert_eq!(end.code(), "GRAPHQL_VALIDATION_FAILED", "{end:?}");
    let extensions = &end.data["errors"][0]["extensions"];
    assert_eq!(extensions["reason"], "SCHEMA_CHANGED");
    assert_eq!(extensions["cursor"].as_str(), last.id.as_deref());
    for stream in &mut streams {
        let frames = stream.take(RELOADS + 1).await;
        let versions: Vec<i64> = frames.iter().map(super::client::Frame::version).collect();
        let expected: Vec<i64> = (1..).take(RELOADS + 1).collect();
        assert_eq!(versions, expected);
        assert!(
            frames
                .iter()
                .all(|frame| frame.data.get("errors").is_none()),
            "{frames:?}"
        );
    }
    drop((streams, doomed));
    shop.stop().await;
}

/// What the subgraph of others answers to each field.
const ANSWERS: [(&str, &str); 4] = [
    ("html", "<!doctype html><p>signed out"),
    ("nothing", ""),
    ("garbage", "{\"data\": {\"garbage\""),
    ("list", "[1]"),
];

/// The code of its error at each field. The last is the shop's, and no code of a subgraph of others.
const FAULTS: [(&str, &str); 3] = [
    ("theirs", "THEIRS"),
    ("secret", "OTHER"),
    ("shops", "NOT_FOUND"),
];

pub(super) async fn others() -> String {
    let answer = async |headers: axum::http::HeaderMap, body: String| {
        let call: Value = serde_json::from_str(&body).expect("JSON");
        let query = call["query"].as_str().expect("a text").to_owned();
        if query.contains("seen") {
            let names = ["authorization", "x-service-token", "x-tenant", "x-key"];
            let seen: Vec<_> = names
                .iter()
                .filter(|it| headers.contains_key(**it))
                .collect();
            return axum::Json(json!({ "data": { "seen": json!(seen).to_string() } }))
                .into_response();
        }
        if query.contains("broken") {
            return (axum::http::StatusCode::BAD_GATEWAY, "<html>").into_response();
        }
        if query.contains("long") {
            return format!("{{\"data\":{{\"long\":\"{}\"}}}}", "x".repeat(8 << 20))
                .into_response();
        }
        if let Some((field, code)) = FAULTS.iter().find(|(field, _)| query.contains(field)) {
            let error =
                json!({ "message": "said", "path": [field], "extensions": { "code": code } });
            return axum::Json(json!({ "data": { *field: null }, "errors": [error] }))
                .into_response();
        }
        let found = ANSWERS.iter().find(|(field, _)| query.contains(field));
        found.map_or("{}", |(_, text)| text).into_response()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("bound");
    let routes = Router::new().route("/graphql", post(answer));
    #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}/graphql")
}

pub(super) fn graph(url: &str, fields: &str) -> String {
    let names: Vec<&str> = fields.split(' ').collect();
    let fields: Vec<String> = names.iter().map(|name| format!("{name}: String")).collect();
    format!(
        r#"schema @link(url: "https://specs.apollo.dev/link/v1.0") @link(url: "https://specs.apollo.dev/join/v0.3", for: EXECUTION) {{ query: Query }}
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
enum join__Graph {{ OTHERS @join__graph(name: "comments", url: "{url}") }}
type Query @join__type(graph: OTHERS) {{ {} }}
"#,
        fields.join(" ")
    )
}

pub(super) async fn ask(shop: &Shop, field: &str) -> Value {
    let asked = reqwest::Client::new()
        .post(shop.url())
        .bearer_auth(shop.token(1))
        .header("x-tenant", "t")
        .json(&json!({ "query": format!("{{ {field} }}") }));
    let response = asked.send().await.expect("answers");
    response.json().await.expect("JSON")
}

fn write(path: &Path, text: &str) {
    let part = path.with_extension("part");
    std::fs::write(&part, text).expect("written");
    std::fs::rename(&part, path).expect("renamed");
}

/// A subgraph of others has the name of one of the shop's and gets no token; a graph without `events` asks no broker.
#[tokio::test]
async fn a_graph_of_others_is_served_from_a_file_and_changes_while_it_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("supergraph.graphql");
    let url = others().await;
    write(
        &file,
        &graph(
            &url,
            "seen html nothing garbage list long theirs secret shops",
        ),
    );
    let path = file.display().to_string();
    let shop = Shop::with(|config| {
        config.supergraph = path;
        config.supergraph_reload.interval = Duration::from_millis(20);
        let rules = config.subgraphs.entry("comments".to_owned()).or_default();
        rules.forward_headers = vec!["x-tenant".to_owned()];
        rules.insert_headers = vec!["x-key: k".to_owned().into()];
        rules.public_codes = vec!["THEIRS".to_owned()];
        rules.max_response_bytes = Some(1 << 20);
        rules.breaker_failures = Some(0);
    })
    .await;
    assert_eq!(
        ask(&shop, "seen").await["data"]["seen"],
        r#"["x-tenant","x-key"]"#
    );
    for field in ["html", "nothing", "garbage", "list", "long"] {
        let response = ask(&shop, field).await;
        assert_eq!(response["data"][field], Value::Null, "{response}");
        assert_eq!(
            response["errors"][0]["extensions"]["code"], "UNAVAILABLE",
            "{response}"
        );
    }
    for (field, code) in [
        ("theirs", "THEIRS"),
        ("secret", "INTERNAL"),
        ("shops", "INTERNAL"),
    ] {
        let response = ask(&shop, field).await;
        assert_eq!(
            response["errors"][0]["extensions"]["code"], code,
            "{response}"
        );
    }

    let stays = async || ask(&shop, "seen").await["data"]["seen"].is_string();
    for bad in [
        "",
        "<html>",
        &graph("", "seen"),
        &graph("local:nowhere", "seen"),
    ] {
        write(&file, bad);
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(stays().await, "{bad}");
    }
    write(&file, &graph(&url, "seen added"));
    testkit::eventually("the new graph", Duration::from_secs(20), async || {
        ask(&shop, "added").await["data"].is_object().then_some(())
    })
    .await;
    assert_eq!(
        ask(&shop, "html").await["errors"][0]["extensions"]["code"],
        "GRAPHQL_VALIDATION_FAILED"
    );
    let sdl = reqwest::get(shop.url().replace("/graphql", "/schema.graphql"))
        .await
        .expect("answers");
    let sdl = sdl.text().await.expect("a text");
    assert!(
        sdl.contains("added: String") && !sdl.contains("join__"),
        "{sdl}"
    );
    shop.stop().await;
}
