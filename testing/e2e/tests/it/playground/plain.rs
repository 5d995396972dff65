//! The pages that need no npm: the plain playground and the live page.

use crate::browser::Browser;
use crate::shop::{Arrangement, Shop, free_offset};

#[tokio::test]
async fn without_npm_the_plain_page_says_so_and_runs_the_same_operations() {
    let folder = tempfile::TempDir::with_prefix("marketplace-e2e-")
        .unwrap()
        .keep();
    let no_page = ["router.playground.dir=no-such-folder".to_owned()];
    let starting = Shop::start_in(&folder, Arrangement::Together, free_offset(), &no_page);
    let (shop, browser) = tokio::join!(starting, Browser::start());
    browser.open(&shop.url(4000)).await;
    browser.sees(".note", &["make playground", "npm"]).await;

    let run = async |name: &str, text: &str| {
        browser.press(name).await;
        browser.press("Run (Ctrl+Enter)").await;
        browser.sees("#answer", &[text]).await;
    };
    run("1 Browse", "\"products\"").await;
    run("2 AddToCart", "\"itemCount\": 2").await;
    run("4 Watch", "").await;
    browser.sees("#state", &["live"]).await;
    browser.press("Stop watching").await;
    browser.sees("#state", &["stopped"]).await;
    run("5 Checkout", "AWAITING_PAYMENT").await;
    run("6 SameKey", "\"replayed\": true").await;
    run("7 Pay", "\"PAID\"").await;
    run("9 NotYours", "\"theirs\": null").await;
    run("10 TooCostly", "LIMIT_EXCEEDED").await;
    browser.stop().await;
    shop.stop().await;
}

#[tokio::test]
async fn the_live_page_goes_on_behind_its_cursor_over_a_broken_connection_and_a_reload() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    browser.open(&format!("{}/live", shop.url(4000))).await;
    browser.press("operator").await;
    browser.sees("#state", &["Live, as operator"]).await;

    browser.press("Place and pay an order as user 1").await;
    browser
        .sees("#frames", &["NEW", "AWAITING_PAYMENT", "PAID"])
        .await;
    browser.press("Break the connection").await;
    browser
        .sees("#state", &["Live, as operator", "Resumed once"])
        .await;
    browser.sees("#frames", &["resumed behind"]).await;

    browser.script("location.reload()").await;
    browser.sees("#state", &["Live, as operator"]).await;
    browser.sees("#frames", &["goes on behind"]).await;
    browser.press("Place and pay an order as user 1").await;
    browser
        .sees("#said", &["Order 2 is placed and paid."])
        .await;
    browser.sees("#frames", &["PAID"]).await;
    let orders = browser
        .script("return [...document.querySelectorAll('#frames tr:not(.seam)')].map(row => row.cells[2].innerText)")
        .await;
    assert_eq!(
        orders,
        serde_json::json!(["2", "2", "2"]),
        "nothing of the first order comes again"
    );
    browser.stop().await;
    shop.stop().await;
}
