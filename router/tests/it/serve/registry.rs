//! A supergraph from a URL: it is asked again, kept on disk, and what is bad or away changes nothing.

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use parking_lot::Mutex;
use serde_json::Value;

use super::{
    reload::{ask, graph, others},
    shop::Shop,
};

/// What a registry answers now.
type Answer = Arc<Mutex<(StatusCode, String)>>;

async fn registry() -> (Answer, String) {
    let answer = Answer::default();
    let serve = async |State(answer): State<Answer>| answer.lock().clone().into_response();
    let routes = Router::new().route("/graph", get(serve));
    let routes = routes.with_state(answer.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("bound");
    #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (answer, format!("http://{address}/graph"))
}

async fn start(url: &str) -> Shop {
    Shop::with(|config| {
        config.supergraph = url.to_owned();
        config.supergraph_reload.interval = Duration::from_millis(20);
        config.supergraph_reload.bytes_max = 10_000;
    })
    .await
}

/// How often the source was looked at with this result, by the operators' page.
async fn looks(shop: &Shop, result: &str) -> f64 {
    let series = format!("marketplace_router_supergraph_reloads_total{{result=\"{result}\"}}");
    shop.metric(&series).await
}

/// Seen red with a name taken twice, with a graph that joins no subgraphs, and with one without an address.
#[tokio::test]
async fn a_graph_from_a_url_is_asked_again_and_kept_for_a_start_without_it() {
    let subgraph = others().await;
    let (answer, url) = registry().await;
    let serves = |status: StatusCode, text: String| *answer.lock() = (status, text);
    serves(StatusCode::OK, graph(&subgraph, "seen html"));
    let shop = start(&url).await;
    let is_served = async |shop: &Shop, field: &str| {
        let found = ask(shop, field).await;
        found["data"].is_object().then_some(())
    };
    assert!(is_served(&shop, "seen").await.is_some());

    // Two values of `join__Graph` with one name, and a graph that nobody joins to a subgraph.
    let twice = format!("OTHERS @join__graph(name: \"comments\", url: \"{subgraph}\")");
    let again = twice.replacen("OTHERS", "{ AGAIN", 1);
    let twice =
        graph(&subgraph, "seen html").replace(&format!("{{ {twice}"), &format!("{again} {twice}"));
    assert!(twice.contains("AGAIN"), "{twice}");
    for (result, status, text) in [
        ("refused", StatusCode::OK, twice),
        (
            "refused",
            StatusCode::OK,
            "type Query { seen: String }".to_owned(),
        ),
        ("unreachable", StatusCode::BAD_GATEWAY, String::new()),
        ("unreachable", StatusCode::OK, "#".repeat(10_001)),
        ("refused", StatusCode::OK, "<html>".to_owned()),
        ("refused", StatusCode::OK, graph("", "seen html")),
    ] {
        let before = looks(&shop, result).await;
        serves(status, text);
        testkit::eventually(result, Duration::from_secs(20), async || {
            (looks(&shop, result).await > before).then_some(())
        })
        .await;
        assert!(
            is_served(&shop, "seen").await.is_some(),
            "{result} {status}"
        );
    }
    serves(StatusCode::OK, graph(&subgraph, "seen added"));
    testkit::eventually("the new graph", Duration::from_secs(20), async || {
        is_served(&shop, "added").await
    })
    .await;
    shop.stop().await;

    // The registry is away at the next start, and then has something else.
    serves(StatusCode::NOT_FOUND, String::new());
    let shop = start(&url).await;
    assert!(is_served(&shop, "added").await.is_some());
    let refused = ask(&shop, "html").await;
    assert_eq!(refused["data"], Value::Null, "{refused}");
    serves(StatusCode::OK, graph(&subgraph, "html"));
    testkit::eventually(
        "the registry is back",
        Duration::from_secs(20),
        async || is_served(&shop, "html").await,
    )
    .await;
    shop.stop().await;
}

/// Each as `docs/router.md` names it. Seen red with nothing taken for something invalid, with the status passed over, and without the
/// bound on a response.
#[tokio::test]
async fn what_is_no_answer_is_counted_by_its_reason() {
    let fields = "seen html nothing garbage list long theirs broken";
    let (answer, url) = registry().await;
    *answer.lock() = (StatusCode::OK, graph(&others().await, fields));
    let shop = Shop::with(|config| {
        config.supergraph = url;
        let rules = config.subgraphs.entry("comments".to_owned()).or_default();
        rules.max_response_bytes = Some(1 << 20);
        rules.breaker_failures = Some(0);
    })
    .await;
    let count = async |reason: &str| {
        let labels = format!("{{reason=\"{reason}\",subgraph=\"comments\"}}");
        let series = format!("marketplace_router_fetch_failures_total{labels}");
        shop.metric(&series).await
    };
    for (field, reason) in [
        ("html", "invalid"),
        ("nothing", "empty"),
        ("garbage", "invalid"),
        ("list", "invalid"),
        ("long", "too_long"),
        ("broken", "status"),
    ] {
        let before = count(reason).await;
        ask(&shop, field).await;
        assert!(count(reason).await > before, "{field}");
    }
    shop.stop().await;
}
