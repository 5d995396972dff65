//! Without a mouse, and on a phone.

use super::{buy, new_trace, open};
use crate::browser::Browser;
use crate::shop::{Arrangement, Shop, new_user};

const ENTER: &str = "\u{e007}";

#[tokio::test]
async fn everything_is_reached_and_done_by_keys_alone() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    open(&browser, &shop).await;
    let order = buy(&shop, new_user(), &new_trace()).await;
    browser.find("#events tbody tr").await;
    browser.tab_to("#verify button").await;
    browser.keys(ENTER).await;
    browser.sees("#verify [role='status']", &["All "]).await;
    browser.tab_to("[data-fault='product-500']").await;
    browser.keys(ENTER).await;
    browser
        .sees("#fault-product-500-state", &["heals in"])
        .await;
    let focused = "return document.activeElement.dataset.fault";
    assert_eq!(
        browser.script(focused).await,
        "product-500",
        "the focus stays"
    );

    browser.tab_to("[data-place='orders']").await;
    browser.keys(ENTER).await;
    browser.find("#orders tbody tr").await;
    browser.tab_to("#order-search").await;
    browser.keys(&format!("{order}{ENTER}")).await;
    browser.sees("#order", &["What happened"]).await;
    browser.tab_to("#order a[href^='#trace-of']").await;
    browser.keys(ENTER).await;
    browser.find(".waterfall li").await;
    browser.tab_to(".waterfall summary").await;
    browser.keys(ENTER).await;
    browser.find(".waterfall details[open]").await;
    browser.tab_to("#trace a[href^='#logs']").await;
    browser.keys(ENTER).await;
    browser.tab_to("#log-level").await;
    browser.keys("error").await;
    let level = "return document.getElementById('log-level').value";
    assert_eq!(browser.script(level).await, "error");
    browser.open(&super::printed_link(&shop)).await;
    browser.tab_to(".skip").await;
    let seen = "return document.activeElement.getBoundingClientRect().left >= 0";
    assert_eq!(
        browser.script(seen).await,
        true,
        "the skip link is seen when it has the focus"
    );
    browser.stop().await;
    shop.stop().await;
}

#[tokio::test]
async fn on_a_phone_no_place_is_wider_than_the_screen() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    browser.be_a_phone().await;
    open(&browser, &shop).await;
    let trace = new_trace();
    let order = buy(&shop, new_user(), &trace).await;
    let link = super::printed_link(&shop);
    for (place, shown) in [
        ("overview".to_owned(), "#events tbody tr"),
        ("orders".to_owned(), "#orders tbody tr"),
        (format!("order={order}"), "#order .lines"),
        ("stock".to_owned(), "#stock tbody tr"),
        ("traces".to_owned(), "#traces tbody tr"),
        (format!("trace={trace}"), ".waterfall li"),
        ("logs".to_owned(), "#logs .log li"),
    ] {
        browser.open(&format!("{link}#{place}")).await;
        browser.find(shown).await;
        assert!(!browser.scrolls_sideways().await, "{place}");
        let lowest = "return Math.min(...[...document.querySelectorAll('button, select, input:not([type=checkbox])')] \
            .filter((one) => one.offsetParent).map((one) => one.offsetHeight))";
        let lowest = browser.script(lowest).await;
        assert!(
            lowest.as_f64().is_none_or(|height| height >= 24.0),
            "{place}: {lowest}"
        );
    }
    browser.stop().await;
    shop.stop().await;
}
