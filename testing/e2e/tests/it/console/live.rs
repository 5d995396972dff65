//! What runs, orders and stock, as they move.

use serde_json::json;

use super::{SKU, buy, new_trace, open};
use crate::browser::Browser;
use crate::shop::{Arrangement, Shop, new_user};

const FIRST: &str = "#orders tbody tr:first-child";

/// The demo gives the page an operator's token by itself.
#[tokio::test]
async fn the_printed_link_shows_services_and_orders_as_they_move() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    open(&browser, &shop).await;
    for name in [
        "kafka", "postgres", "router", "cart", "loms", "comments", "notifier", "product",
    ] {
        let row = format!("#services tr[data-key='{name}']");
        browser.sees(&row, &[name, "up"]).await;
    }
    browser.sees("#charts", &["Requests", "Memory"]).await;

    let user = new_user();
    let order = buy(&shop, user, &new_trace()).await;
    browser
        .sees(
            "#events tbody tr:first-child",
            &[&order, "awaiting payment"],
        )
        .await;

    browser.click("[data-place='orders']").await;
    browser
        .sees(FIRST, &[&order, "awaiting payment", &user.to_string()])
        .await;
    let token = shop.token(user, false).await;
    let pay = "mutation($id: ID!) { payOrder(input: {orderId: $id}) { userErrors { code } } }";
    shop.graphql(&token, pay, json!({"id": order})).await;
    browser.sees(FIRST, &[&order, "paid"]).await;
    let newer = buy(&shop, new_user(), &new_trace()).await;
    browser.sees(FIRST, &[&newer, "awaiting payment"]).await;

    browser.click("[data-place='overview']").await;
    browser
        .sees("#charts figure[data-series='outbox_backlog']", &["rows"])
        .await;
    browser
        .sees("#events tbody tr:first-child", &[&newer])
        .await;
    browser.be_a_desk(1280, 1150).await;
    browser.keep_picture("ops.png").await;

    browser.click("[data-place='orders']").await;
    browser.choose("#order-status", "PAID").await;
    browser
        .sees("#orders [role='status']", &["1 of 2 orders"])
        .await;
    browser.sees(FIRST, &[&order, "paid"]).await;
    browser.choose("#order-status", "").await;
    browser.write("#order-search", &user.to_string()).await;
    browser
        .sees("#orders [role='status']", &["1 of 2 orders"])
        .await;
    browser
        .click(&format!("#orders a[href='#order={order}']"))
        .await;
    browser
        .sees(
            "#order",
            &[&format!("of user {user}"), "paid", "What happened"],
        )
        .await;
    browser.stop().await;
    shop.stop().await;
}

#[tokio::test]
async fn stock_moves_with_an_order_and_is_found_by_name_and_by_number() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    open(&browser, &shop).await;
    browser.click("[data-place='stock']").await;
    let row = format!("#stock tr[data-key='{SKU}']");
    let cell = |number: u8| format!("{row} td:nth-child({number})");
    browser.sees(&cell(3), &["265"]).await;
    let reserved = browser.text(&cell(4)).await.expect("reserved units");
    let reserved: u32 = reserved.parse().expect("a number");
    buy(&shop, new_user(), &new_trace()).await;
    browser.sees(&cell(3), &["264"]).await;
    browser.sees(&cell(4), &[&(reserved + 1).to_string()]).await;
    for words in [SKU, "смит"] {
        browser
            .script("document.getElementById('stock-search').value = ''")
            .await;
        browser.write("#stock-search", words).await;
        browser.sees("#stock [role='status']", &["1 of "]).await;
        browser.find(&row).await;
    }
    browser.stop().await;
    shop.stop().await;
}
