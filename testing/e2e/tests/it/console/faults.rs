//! What an operator breaks by a button: it heals by itself, the page says so, and nothing is lost.

use std::time::{Duration, Instant};

use super::{SKU, buy, new_trace, open};
use crate::browser::Browser;
use crate::shop::{Arrangement, Shop, free_offset, new_user};

/// The words beside a fault's button.
pub(super) fn state_of(fault: &str) -> String {
    format!("#fault-{fault}-state")
}

pub(super) async fn breaks(browser: &Browser, fault: &str) {
    browser
        .click(&format!("[data-fault='{fault}'][aria-disabled='false']"))
        .await;
    browser
        .find(&format!("[data-fault='{fault}'][data-active='true']"))
        .await;
}

/// All checks of `verify`, by its button.
pub(super) async fn all_holds(browser: &Browser) {
    browser.press("Verify now").await;
    let said = browser.sees("#verify [role='status']", &["checks"]).await;
    assert!(
        said.starts_with("All "),
        "{said}: {:?}",
        browser.text("#verify .checks").await
    );
}

/// Orders are placed while the order service is away: each is refused or made, and none is lost.
#[tokio::test]
async fn a_killed_service_comes_back_by_itself_and_nothing_is_lost() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Processes), Browser::start());
    open(&browser, &shop).await;
    let before = shop.service("loms").expect("the order service runs");
    buy(&shop, new_user(), &new_trace()).await;
    breaks(&browser, "kill-loms").await;
    browser.sees(&state_of("kill-loms"), &["heal"]).await;
    browser.sees(&state_of("kill-loms"), &["has healed"]).await;
    browser.sees("#services tr[data-key='loms']", &["up"]).await;
    let after = shop.service("loms").expect("the order service runs again");
    assert_ne!(before, after, "it is another process");
    let order = buy(&shop, new_user(), &new_trace()).await;
    browser
        .sees(
            "#events tbody tr:first-child",
            &[&order, "awaiting payment"],
        )
        .await;
    all_holds(&browser).await;

    breaks(&browser, "kill-router").await;
    browser
        .sees("#stream", &["Live, resumed", "nothing was missed."])
        .await;
    browser
        .sees(&state_of("kill-router"), &["has healed"])
        .await;
    let order = buy(&shop, new_user(), &new_trace()).await;
    browser
        .sees(
            "#events tbody tr:first-child",
            &[&order, "awaiting payment"],
        )
        .await;
    all_holds(&browser).await;
    browser.stop().await;
    shop.stop().await;
}

/// The catalogue's names and prices come late, and then at once again.
#[tokio::test]
async fn a_slow_product_service_heals_and_what_cannot_be_broken_here_says_why() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    open(&browser, &shop).await;
    for kill in ["kill-router", "kill-loms", "kill-cart", "kill-notifier"] {
        browser
            .sees(&state_of(kill), &["not here", "marketplace up --processes"])
            .await;
        browser.click(&format!("[data-fault='{kill}']")).await;
    }
    breaks(&browser, "product-slow").await;
    browser.sees(&state_of("product-slow"), &["heals in"]).await;
    browser.click("[data-fault='product-500']").await;
    browser
        .sees(
            "#faults [role='alert']",
            &["product-slow is active and heals in"],
        )
        .await;
    browser
        .sees(
            &state_of("product-slow"),
            &["has healed", "heals after 20 s"],
        )
        .await;
    let order = buy(&shop, new_user(), &new_trace()).await;
    browser.click("[data-place='stock']").await;
    browser.find(&format!("#stock tr[data-key='{SKU}']")).await;
    browser.click("[data-place='overview']").await;
    browser
        .sees("#events tbody tr:first-child", &[&order])
        .await;
    all_holds(&browser).await;
    browser.stop().await;
    shop.stop().await;
}

/// What is asked of a service that reads its database takes at least as long as the fault says.
#[tokio::test]
async fn postgres_is_slow_over_its_relay_and_quick_again() {
    let folder = tempfile::TempDir::with_prefix("marketplace-e2e-").unwrap();
    let relay = ["console.postgres_relay_enabled=true".to_owned()];
    let offset = free_offset();
    let starting = Shop::start_in(folder.path(), Arrangement::Together, offset, &relay);
    let (shop, browser) = tokio::join!(starting, Browser::start());
    open(&browser, &shop).await;
    breaks(&browser, "postgres-slow-500ms").await;
    let token = shop.token(new_user(), false).await;
    let asked = Instant::now();
    let cart = "{ me { cart { lines { count } } } }";
    shop.graphql(&token, cart, serde_json::json!({})).await;
    assert!(
        asked.elapsed() >= Duration::from_millis(500),
        "nothing waited"
    );
    browser
        .sees(&state_of("postgres-slow-500ms"), &["has healed"])
        .await;
    all_holds(&browser).await;
    browser.stop().await;
    shop.stop().await;
}
