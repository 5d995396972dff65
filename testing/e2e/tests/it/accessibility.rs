//! The pages for people who see, hear or move otherwise: axe-core finds nothing on any of them, with data, in light and in dark
//! colours, and on a phone.

use serde_json::json;

use crate::browser::Browser;
use crate::console;
use crate::shop::{Arrangement, Shop};

/// A place, and what is there when it is drawn.
type Place = (String, &'static str);

/// In light and in dark colours, and on a phone; every barrier of every place is told.
async fn look_at(browser: &Browser, places: &[Place]) {
    let mut barriers = Vec::new();
    for look in ["light", "dark", "phone"] {
        browser
            .prefer(if look == "dark" { "dark" } else { "light" })
            .await;
        if look == "phone" {
            browser.be_a_phone().await;
        }
        for (place, drawn) in places {
            // Another address behind `#` alone is no other page for a browser.
            browser.open("about:blank").await;
            browser.open(place).await;
            browser.find(drawn).await;
            browser.settles().await;
            let found = browser.barriers().await;
            barriers.extend(
                found
                    .into_iter()
                    .map(|one| format!("{look} {place}: {one}")),
            );
            if browser.scrolls_sideways().await {
                barriers.push(format!("{look} {place}: it scrolls sideways"));
            }
        }
    }
    assert!(barriers.is_empty(), "{}", barriers.join("\n\n"));
}

#[tokio::test]
async fn the_console_has_no_barrier_in_any_place() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    let trace = console::new_trace();
    let order = console::buy(&shop, 1, &trace).await;
    let link = console::printed_link(&shop);
    let places = [
        ("", "#faults button"),
        ("#orders", "#orders tbody tr"),
        (&format!("#order={order}"), "#order .lines"),
        ("#stock", "#stock tbody tr"),
        ("#traces", "#traces tbody tr"),
        (&format!("#trace={trace}"), ".waterfall li:nth-child(6)"),
        ("#logs", "#logs .log li"),
        ("#nowhere", "main h2"),
    ];
    let places = places.map(|(place, drawn)| (format!("{link}{place}"), drawn));
    look_at(&browser, &places).await;
    browser.stop().await;
    shop.stop().await;
}

#[tokio::test]
async fn the_shop_and_the_live_page_have_no_barrier_in_any_place() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    let order = console::buy(&shop, 1, &console::new_trace()).await;
    let token = shop.token(1, false).await;
    let add =
        "mutation($sku: ID!) { addToCart(input: {sku: $sku, count: 1}) { userErrors { code } } }";
    shop.graphql(&token, add, json!({"sku": console::SKU}))
        .await;
    let product = format!("#/product/{}", console::SKU);
    let places = [
        ("/shop", ".card"),
        (&format!("/shop{product}"), "#comment"),
        ("/shop#/cart", ".lines li"),
        ("/shop#/orders", ".lines li"),
        (&format!("/shop#/order/{order}"), ".status"),
        ("/shop#/nowhere", "main h2"),
        ("/live", "#state[data-state='live']"),
    ];
    let places = places.map(|(place, drawn)| (format!("{}{place}", shop.url(4000)), drawn));
    look_at(&browser, &places).await;
    browser.stop().await;
    shop.stop().await;
}

/// With an answer beside the query.
#[tokio::test]
async fn the_playground_has_no_barrier() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    browser.open(&shop.url(4000)).await;
    browser
        .sees(".graphiql-query-editor", &["query Browse"])
        .await;
    browser.click(".graphiql-execute-button").await;
    browser.sees(".graphiql-response", &["products"]).await;
    let places = [(shop.url(4000), ".graphiql-query-editor .view-line")];
    look_at(&browser, &places).await;
    browser.stop().await;
    shop.stop().await;
}
