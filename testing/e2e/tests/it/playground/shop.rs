//! The shop: a book bought by clicks, an order that moves by itself, and the way from a button to its operation.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::operation_name;
use crate::browser::Browser;
use crate::shop::{Arrangement, Shop, free_offset};

/// A product that the seed has much of.
const SKU: &str = "1076963";

/// Seen red without the frames of the stream: the paid order went on awaiting its payment.
#[tokio::test]
async fn a_book_is_bought_by_clicks_and_orders_move_by_themselves() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    browser.be_a_phone().await;
    browser.open(&format!("{}/shop", shop.url(4000))).await;
    browser.click("#in-stock").await;
    browser.find(&format!("a[href='#/product/{SKU}']")).await;
    browser
        .sees("#view", &["24 of 63 products", "Theory of Moral"])
        .await;
    browser.keep_picture("shop-products.png").await;
    assert!(!browser.scrolls_sideways().await, "products");
    browser.press("More products").await;
    browser.sees("#view", &["48 of 63 products"]).await;
    browser.write("#search", "ТЕОРИЯ smith").await;
    browser.sees("#view", &["1 of 1 products"]).await;
    browser.click(&format!("a[href='#/product/{SKU}']")).await;
    browser.sees("#view", &["SKU 1076963", "in stock"]).await;
    browser.press("Add to cart").await;
    browser.sees("#said", &["1 unit now"]).await;
    browser.write("#comment", "As <b>promised</b>.").await;
    browser.press("Comment").await;
    browser.sees(".comments", &["As <b>promised</b>."]).await;

    browser.click("[data-place='cart']").await;
    browser.sees("#view", &["1 unit"]).await;
    browser.keep_picture("shop-cart.png").await;
    browser.press("Order and reserve").await;
    browser.sees("#view .status", &["awaits payment"]).await;
    browser.sees("#view", &["Live"]).await;
    browser.keep_picture("shop-order.png").await;
    assert!(!browser.scrolls_sideways().await, "an order");
    browser.press("Pay").await;
    browser.sees("#view .status", &["paid"]).await;
    browser.click("summary").await;
    browser
        .sees("#log", &["Pay", "Checkout", "AddToCart"])
        .await;

    browser.click("[data-place='orders']").await;
    browser.sees("#view", &["Order 1", "Live"]).await;
    let token = shop.token(1, false).await;
    let order = "mutation($sku: ID!) { createOrder(input: {lines: [{sku: $sku, count: 1}]}) { order { id } } }";
    shop.graphql(&token, order, json!({"sku": SKU})).await;
    browser
        .sees(
            "#view .lines li:first-child",
            &["Order 2", "awaits payment"],
        )
        .await;
    browser.stop().await;
    shop.stop().await;
}

#[tokio::test]
async fn what_a_button_does_opens_in_the_playground_as_the_same_user() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    browser.open(&format!("{}/shop", shop.url(4000))).await;
    browser.press("user 2").await;
    browser.click(&format!("a[href='#/product/{SKU}']")).await;
    browser.sees("#view", &["SKU 1076963"]).await;
    let link = browser
        .script("return document.querySelector('.as-operation').href")
        .await;
    let link = link.as_str().expect("an address");
    browser.open(link).await;
    browser
        .sees(".graphiql-query-editor", &["mutation AddToCart"])
        .await;
    let chosen = ".bar fieldset:first-of-type button[aria-pressed='true']";
    browser.sees(chosen, &["user 2"]).await;
    browser.click(".graphiql-execute-button").await;
    browser
        .sees(".graphiql-response", &["\"itemCount\": 1"])
        .await;
    let address = browser.script("return location.hash").await;
    assert_eq!(address, "", "a reload shows what was typed since");
    browser.press("Share").await;
    let address = browser.script("return location.hash").await;
    let address = address.as_str().expect("an address");
    assert!(
        address.contains("AddToCart") && address.contains("user=2"),
        "{address}"
    );
    assert!(!address.contains("earer"), "no token is shared: {address}");
    browser.stop().await;
    shop.stop().await;
}

#[tokio::test]
async fn a_shop_without_tokens_for_the_demos_users_says_so() {
    let folder = tempfile::TempDir::with_prefix("marketplace-e2e-").unwrap();
    let without = ["keys.demo_issuer_enabled=false".to_owned()];
    let starting = Shop::start_in(
        folder.path(),
        Arrangement::Together,
        free_offset(),
        &without,
    );
    let (shop, browser) = tokio::join!(starting, Browser::start());
    browser.open(&format!("{}/shop", shop.url(4000))).await;
    browser
        .sees("#view [role='alert']", &["no tokens", "Try again"])
        .await;
    browser.stop().await;
    shop.stop().await;
}

/// Those beside the buttons, and those of the list of what was asked.
#[tokio::test]
async fn every_action_of_the_shop_opens_its_operation_in_the_playground() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    let address = format!("{}/shop", shop.url(4000));
    browser.open(&address).await;
    browser.press("user 3").await;
    // What was asked as the first user is gone from the list then.
    browser.script("location.reload()").await;
    browser.find(".card").await;
    let mut links = BTreeMap::new();
    note(&browser, &mut links).await;
    browser.click(&format!("a[href='#/product/{SKU}']")).await;
    browser.sees("#view", &["SKU 1076963"]).await;
    browser.press("Add to cart").await;
    browser.sees("#said", &["1 unit now"]).await;
    browser.write("#comment", "As promised.").await;
    browser.press("Comment").await;
    browser.sees(".comments", &["As promised."]).await;
    note(&browser, &mut links).await;
    browser.click("[data-place='cart']").await;
    browser.press("Remove").await;
    browser.sees("#view", &["empty"]).await;
    for then in ["Empty the cart", "Order and reserve"] {
        browser.click("[data-place='products']").await;
        browser.click(&format!("a[href='#/product/{SKU}']")).await;
        browser.sees("#view", &["SKU 1076963"]).await;
        browser.press("Add to cart").await;
        browser.sees("#said", &["1 unit now"]).await;
        browser.click("[data-place='cart']").await;
        browser.find(".lines li").await;
        note(&browser, &mut links).await;
        browser.press(then).await;
        browser
            .sees(
                "#view",
                &[if then == "Empty the cart" {
                    "empty"
                } else {
                    "awaits payment"
                }],
            )
            .await;
    }
    note(&browser, &mut links).await;
    browser.press("Cancel the order").await;
    browser.sees("#view .status", &["cancelled"]).await;
    browser.click("[data-place='orders']").await;
    browser.sees("#view", &["Order 1"]).await;
    note(&browser, &mut links).await;

    let named: Vec<_> = links.keys().map(String::as_str).collect();
    let all = [
        "AddComment",
        "AddToCart",
        "Browse",
        "Cancel",
        "Cart",
        "Checkout",
        "ClearCart",
        "MyOrder",
        "MyOrders",
        "Pay",
        "Product",
        "RemoveFromCart",
    ];
    assert_eq!(named, all);
    let chosen = ".bar fieldset:first-of-type button[aria-pressed='true']";
    for (name, link) in links {
        browser.open("about:blank").await;
        browser.open(&link).await;
        browser
            .sees(".graphiql-query-editor", &[&format!(" {name}")])
            .await;
        browser.sees(chosen, &["user 3"]).await;
    }
    browser.stop().await;
    shop.stop().await;
}

/// Adds the links to operations that the page shows, by the operations' names.
async fn note(browser: &Browser, links: &mut BTreeMap<String, String>) {
    let shown =
        "return [...document.querySelectorAll('.as-operation, #log a')].map((link) => link.href)";
    let shown = browser.script(shown).await;
    for link in shown
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
    {
        let parameters = link.split_once('#').expect("behind the sign").1;
        let mut parameters = url::form_urlencoded::parse(parameters.as_bytes());
        let (_, text) = parameters
            .find(|(name, _)| name == "query")
            .expect("an operation");
        let name = operation_name(&text).to_owned();
        if name != "CartCount" {
            links.insert(name, link.to_owned());
        }
    }
}
