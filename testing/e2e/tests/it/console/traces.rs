//! A trace found by its number, and log lines by service, level and trace.

use serde_json::json;
use testkit::eventually;

use super::{SKU, buy, faults, new_trace, open};
use crate::browser::{Browser, LIMIT};
use crate::shop::{Arrangement, Shop, new_user};

const ENTER: &str = "\u{e007}";

#[tokio::test]
async fn a_trace_is_found_by_its_id_and_drawn_with_the_spans_of_every_service() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    open(&browser, &shop).await;
    let id = new_trace();
    let order = buy(&shop, new_user(), &id).await;
    browser.click("[data-place='traces']").await;
    browser.find(&format!("#traces tr[data-key='{id}']")).await;
    browser
        .write("#trace-search", &format!("{id}{ENTER}"))
        .await;
    for service in ["router", "cart", "loms", "notifier"] {
        browser
            .find(&format!(".waterfall .bar[data-service='{service}']"))
            .await;
    }
    browser.sees("#trace", &[&id, "handle order event"]).await;
    let drawn = browser
        .script(
            "const lane = document.querySelector('.waterfall .lane').getBoundingClientRect(); \
             const bars = [...document.querySelectorAll('.waterfall .bar')].map((bar) => bar.getBoundingClientRect()); \
             return bars.length > 5 && new Set(bars.map(({ left }) => Math.round(left))).size > 2 && \
             bars.every(({ left, width }) => width > 0 && left >= lane.left - 1)",
        )
        .await;
    assert_eq!(drawn, true, "each span has a place of its own");
    browser.click(".waterfall summary").await;
    browser
        .sees(".waterfall details[open] dl", &["starts after", "span"])
        .await;

    browser
        .open(&format!("{}#trace-of={order}", super::printed_link(&shop)))
        .await;
    browser
        .sees("#trace", &[&format!("of order {order}"), &id])
        .await;
    browser.stop().await;
    shop.stop().await;
}

/// Somebody reports the number of a trace with an error; its lines say why.
#[tokio::test]
async fn log_lines_are_found_by_service_by_level_and_by_trace() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    open(&browser, &shop).await;
    faults::breaks(&browser, "product-500").await;
    let id = new_trace();
    let request = shop.http().post(format!("{}/graphql", shop.url(4000)));
    let request = request.bearer_auth(shop.token(new_user(), false).await);
    let request = request.header("traceparent", format!("00-{id}-b7ad6b7169203331-01"));
    let add =
        "mutation($sku: ID!) { addToCart(input: {sku: $sku, count: 1}) { userErrors { code } } }";
    let body = json!({"query": add, "variables": {"sku": SKU}});
    let response = request.json(&body).send().await.unwrap();
    let answer = response.text().await.unwrap();
    assert!(answer.contains("UNAVAILABLE"), "{answer}");

    browser.click("[data-place='traces']").await;
    browser.click("#trace-errors").await;
    browser
        .sees(&format!("#traces tr[data-key='{id}']"), &["error"])
        .await;
    browser
        .write("#trace-search", &format!("{id}{ENTER}"))
        .await;
    browser
        .click(&format!("#trace a[href='#logs&trace={id}']"))
        .await;
    browser.find(".log li[data-level='warn']").await;
    let of_trace = format!("one.querySelector('a').href.endsWith('{id}')");
    only(&browser, &of_trace).await;
    browser.choose("#log-service", "cart").await;
    // One process has all services here, so its lines are every one's.
    let of_all = "one.querySelector('.service').textContent === 'marketplace'";
    only(&browser, of_all).await;
    browser
        .script("document.getElementById('log-trace').value = ''")
        .await;
    browser.choose("#log-service", "").await;
    browser.choose("#log-level", "warn").await;
    browser.find(".log li[data-level='warn']").await;
    only(&browser, "['warn', 'error'].includes(one.dataset.level)").await;
    browser.stop().await;
    shop.stop().await;
}

/// Waits until lines are shown, and this holds of each.
async fn only(browser: &Browser, what: &str) {
    let all = format!(
        "const all = [...document.querySelectorAll('.log li')]; return all.length > 0 && all.every((one) => {what})"
    );
    eventually(what, LIMIT, async || {
        (browser.script(&all).await == true).then_some(())
    })
    .await;
}
