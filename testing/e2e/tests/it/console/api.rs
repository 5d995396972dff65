//! The console's API: who may ask, and that what it tells is what happened.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::eventually;

use super::{buy, new_trace};
use crate::shop::{Arrangement, Shop, new_user};

/// Asks the console as the bearer of a token, or as nobody.
async fn ask(
    shop: &Shop,
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let url = format!("{}/ops/api/{path}", shop.url(4005));
    let mut request = shop.http().request(method, url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status();
    (status, response.json().await.unwrap_or_default())
}

async fn read(shop: &Shop, path: &str, token: &str) -> Value {
    let (status, body) = ask(shop, Method::GET, path, Some(token), None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

/// A trace of this shop, with the services of its spans, once the notifier's is among them.
async fn trace(shop: &Shop, token: &str, id: &str) -> Value {
    eventually("the notifier's span", Duration::from_secs(30), async || {
        let path = format!("traces/{id}");
        let (_, found) = ask(shop, Method::GET, &path, Some(token), None).await;
        let spans = found["spans"].as_array()?;
        let is_there = |service: &str| spans.iter().any(|it| it["service"] == service);
        let all = ["router", "cart", "loms", "notifier"];
        all.iter().all(|it| is_there(it)).then_some(found.clone())
    })
    .await
}

#[tokio::test]
async fn only_an_operator_asks_and_gets_what_runs_here() {
    let shop = Shop::shared().await;
    let (operator, customer) = (
        shop.token(9, true).await,
        shop.token(new_user(), false).await,
    );
    let (status, session) = ask(shop, Method::GET, "session", None, None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(session["router"], shop.url(4000));
    assert_eq!(
        (&session["faults"], &session["demoTokens"]),
        (&json!(true), &json!(true))
    );
    for path in [
        "services", "gauges", "traces", "logs", "load", "faults", "no-such",
    ] {
        for (token, wanted) in [
            (None, 401),
            (Some("x"), 401),
            (Some(customer.as_str()), 403),
        ] {
            let (status, body) = ask(shop, Method::GET, path, token, None).await;
            assert_eq!(status.as_u16(), wanted, "{path}: {body}");
            assert!(body["error"]["message"].is_string(), "{body}");
        }
    }
    let services = read(shop, "services", &operator).await;
    let services = services.as_array().unwrap();
    assert_eq!(services.len(), 8, "{services:?}");
    for service in services {
        assert_eq!(service["state"], "up", "{service}");
        assert!(service["memoryBytes"].as_u64().unwrap() > 0, "{service}");
    }
    let (status, _) = ask(shop, Method::GET, "no-such", Some(&operator), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

/// The page of another origin, and the way from the router to it.
#[tokio::test]
async fn the_router_leads_to_the_console_and_lets_its_page_call() {
    let shop = Shop::shared().await;
    let page = shop.http().get(format!("{}/ops", shop.url(4000))).send();
    let page = page.await.unwrap();
    assert_eq!(page.url().as_str(), format!("{}/ops", shop.url(4005)));
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains(&shop.url(4000)) && !policy.contains("unsafe"),
        "{policy}"
    );
    for (origin, allowed) in [
        (shop.url(4005), true),
        ("http://127.0.0.1:9".to_owned(), false),
    ] {
        let url = format!("{}/graphql", shop.url(4000));
        let request = shop.http().request(Method::OPTIONS, url);
        let request = request.header("origin", &origin);
        let request = request.header("access-control-request-method", "POST");
        let response = request.send().await.unwrap();
        let answer = response.headers().get("access-control-allow-origin");
        assert_eq!(answer.is_some(), allowed, "{origin}");
    }
}

/// Without a collector.
#[tokio::test]
async fn an_order_s_trace_is_found_by_its_id_and_by_the_order_with_the_service_of_each_span() {
    let shop = Shop::shared().await;
    let operator = shop.token(9, true).await;
    let id = new_trace();
    let order = buy(shop, new_user(), &id).await;
    let shown = trace(shop, &operator, &id).await;
    let spans = shown["spans"].as_array().unwrap();
    let named = |name: &str| spans.iter().any(|span| span["name"] == name);
    assert!(
        named("POST /graphql") && named("handle order event"),
        "{shown}"
    );
    let text = shown.to_string();
    assert!(!text.contains("Bearer") && !text.contains("eyJ"), "{text}");
    let path = format!("traces?q=order.id%3D{order}&limit=1");
    let listed = read(shop, &path, &operator).await;
    assert_eq!(listed[0]["traceId"], id, "{listed}");
    assert_eq!(listed[0]["service"], "router", "{listed}");
    let (status, gone) = ask(shop, Method::GET, "traces/00ff", Some(&operator), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{gone}");
}

/// Each service in a process of its own.
#[tokio::test]
async fn with_processes_the_trace_and_the_lines_of_all_of_them_are_shown_and_a_killed_one_comes_back()
 {
    let shop = Shop::start(Arrangement::Processes).await;
    let operator = shop.token(9, true).await;
    let id = new_trace();
    buy(&shop, new_user(), &id).await;
    trace(&shop, &operator, &id).await;
    let lines = read(&shop, "logs?service=router", &operator).await;
    assert!(lines.to_string().contains("router listens"), "{lines}");
    let before = shop.service("notifier").unwrap();
    let (status, body) = ask(
        &shop,
        Method::POST,
        "faults/kill-notifier",
        Some(&operator),
        None,
    )
    .await;
    assert_eq!(status, StatusCode::OK, "{body}");
    eventually(
        "the notifier is back",
        Duration::from_secs(30),
        async || {
            let services = read(&shop, "services", &operator).await;
            let services = services.as_array().unwrap().clone();
            let notifier = services.iter().find(|it| it["name"] == "notifier")?;
            let is_back = notifier["state"] == "up" && notifier["pid"] != before.pid;
            is_back.then_some(())
        },
    )
    .await;
    shop.stop().await;
}

/// Faults, load and the verdict after them.
#[tokio::test]
async fn faults_heal_by_themselves_load_is_taken_away_and_the_promises_hold_after_it() {
    let shop = Shop::start(Arrangement::Together).await;
    let operator = shop.token(9, true).await;
    let post = async |path: &str| ask(&shop, Method::POST, path, Some(&operator), None).await;
    let (status, slow) = post("faults/product-500").await;
    assert_eq!(
        (status, &slow["active"]),
        (StatusCode::OK, &json!(true)),
        "{slow}"
    );
    let (status, again) = post("faults/product-slow").await;
    assert_eq!(status, StatusCode::CONFLICT, "one part, one fault: {again}");
    let (status, none) = post("faults/kill-loms").await;
    assert_eq!(status, StatusCode::CONFLICT, "all share a process: {none}");
    assert!(none["error"]["message"].to_string().contains("--processes"));
    let (status, _) = post("faults/poison-event").await;
    assert_eq!(status, StatusCode::OK);
    let set = async |rate: f64| {
        let body = Some(json!({"rate": rate}));
        ask(&shop, Method::PUT, "load", Some(&operator), body).await
    };
    assert_eq!(set(1e9).await.0, StatusCode::BAD_REQUEST);
    eventually("no fault is active", Duration::from_secs(40), async || {
        let faults = read(&shop, "faults", &operator).await;
        let active = faults
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["active"] == true);
        (!active).then_some(())
    })
    .await;
    assert_eq!(set(5.0).await.0, StatusCode::OK);
    eventually("five orders", Duration::from_secs(40), async || {
        let load = read(&shop, "load", &operator).await;
        (load["ordered"].as_u64()? > 5).then_some(())
    })
    .await;
    assert_eq!(set(0.0).await.1["running"], false);
    let verdict = eventually("the promises hold", Duration::from_secs(40), async || {
        let (status, verdict) = post("verify").await;
        (status == StatusCode::OK && verdict["ok"] == true).then_some(verdict)
    })
    .await;
    assert!(verdict["checks"].as_array().unwrap().len() > 4, "{verdict}");
    let lines = read(&shop, "logs?level=error&q=parked", &operator).await;
    assert!(
        lines.to_string().contains("message parked in dead_letters"),
        "{lines}"
    );
    shop.stop().await;
}
