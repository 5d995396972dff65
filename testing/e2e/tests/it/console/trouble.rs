//! A wrong token, a stream that is refused, a service that has gone: the page says what happened, and offers the way on.

use serde_json::json;
use testkit::TestTokens;

use super::{buy, new_trace, open, printed_link};
use crate::browser::Browser;
use crate::shop::{Arrangement, Shop, free_offset, new_user};
use crate::subscription::Subscription;

const WHY: &str = "#ask-token-why";
const ENTER: &str = "\u{e007}";

fn folder() -> tempfile::TempDir {
    tempfile::TempDir::with_prefix("marketplace-e2e-").unwrap()
}

/// The issuer is somebody else's here, as in production.
#[tokio::test]
async fn where_no_token_is_given_away_an_operator_s_is_asked_for_until_it_is_one() {
    let (folder, issuer) = (folder(), TestTokens::default());
    let keys = folder.path().join("issuer.json");
    let known = json!({"keys": [issuer.signer.jwk()]});
    std::fs::write(&keys, known.to_string()).unwrap();
    let settings = [
        "keys.demo_issuer_enabled=false".to_owned(),
        format!("keys.jwks={}", keys.display()),
    ];
    let offset = free_offset();
    let starting = Shop::start_in(folder.path(), Arrangement::Together, offset, &settings);
    let (shop, browser) = tokio::join!(starting, Browser::start());
    browser.open(&printed_link(&shop)).await;
    browser
        .sees(WHY, &["no token by itself", "scope ops", "keys.issuer"])
        .await;
    browser.write("#token", &format!("wrong{ENTER}")).await;
    browser
        .sees(WHY, &["not valid or has ended", "keys.issuer"])
        .await;
    let customer = issuer.customer(5);
    let typed = format!("{}{ENTER}", customer.expose());
    browser.write("#token", &typed).await;
    browser
        .sees(WHY, &["customer's", "needs an operator's"])
        .await;
    let operator = issuer.operator(9);
    let typed = format!("{}{ENTER}", operator.expose());
    browser.write("#token", &typed).await;
    browser
        .sees("#services tr[data-key='router']", &["up"])
        .await;
    browser.sees("#stream", &["Live"]).await;
    browser.find("#ask-token[hidden]").await;
    let kept = "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])";
    let kept = browser.script(kept).await;
    assert!(
        !kept.to_string().contains("eyJ"),
        "a token is stored: {kept}"
    );
    browser.stop().await;
    shop.stop().await;
}

/// The router gives each caller one stream here, and somebody else has the operator's.
#[tokio::test]
async fn a_refused_stream_says_so_and_goes_on_when_there_is_room() {
    let folder = folder();
    let one = ["router.stream.per_caller_max=1".to_owned()];
    let starting = Shop::start_in(folder.path(), Arrangement::Together, free_offset(), &one);
    let (shop, browser) = tokio::join!(starting, Browser::start());
    let operator = shop.token(9, true).await;
    let watch = "subscription { allOrderEvents { kind orderId } }";
    let other = Subscription::open(&shop, &operator, watch, json!({})).await;
    browser.open(&printed_link(&shop)).await;
    browser.sees("#stream", &["lost", "Trying again"]).await;
    browser
        .sees("#services tr[data-key='router']", &["up"])
        .await;
    drop(other);
    browser.sees("#stream", &["Live"]).await;
    let order = buy(&shop, new_user(), &new_trace()).await;
    browser
        .sees("#events tbody tr:first-child", &[&order])
        .await;
    browser.stop().await;
    shop.stop().await;
}

#[tokio::test]
async fn a_marketplace_that_was_stopped_and_started_again_is_shown_again_by_itself() {
    let folder = folder();
    let offset = free_offset();
    let start = || Shop::start_in(folder.path(), Arrangement::Together, offset, &[]);
    let (shop, browser) = tokio::join!(start(), Browser::start());
    open(&browser, &shop).await;
    browser.find("#services tr[data-key='router']").await;
    shop.stop().await;
    browser
        .sees(
            "#services [role='alert']",
            &["does not answer", "marketplace up", "goes on by itself"],
        )
        .await;
    browser
        .sees(
            "#stream",
            &["Connection lost", "Trying again; nothing is missed"],
        )
        .await;
    let shop = start().await;
    browser.sees("#stream", &["Live, resumed"]).await;
    browser
        .find("#services:not(.old) tr[data-key='router']")
        .await;
    let order = buy(&shop, new_user(), &new_trace()).await;
    browser
        .sees(
            "#events tbody tr:first-child",
            &[&order, "awaiting payment"],
        )
        .await;
    browser.stop().await;
    shop.stop().await;
}
