//! The whole of it: somebody buys on a phone, an operator looks on and breaks things, and nothing is lost.

use testkit::eventually;

use super::{SKU, faults, open, printed_link};
use crate::browser::{Browser, LIMIT};
use crate::shop::{Arrangement, Shop};

const STATUS: &str = "#view .status";

#[tokio::test]
async fn a_book_bought_on_a_phone_is_seen_in_the_console_and_outlives_a_killed_order_service() {
    let (shop, phone, desk) = tokio::join!(
        Shop::start(Arrangement::Processes),
        Browser::start(),
        Browser::start()
    );
    open(&desk, &shop).await;
    phone.be_a_phone().await;
    phone
        .open(&format!("{}/shop#/product/{SKU}", shop.url(4000)))
        .await;
    phone.press("Add to cart").await;
    phone.sees("#said", &["1 unit now"]).await;
    phone.click("[data-place='cart']").await;
    phone.press("Order and reserve").await;
    phone.sees(STATUS, &["awaits payment"]).await;
    phone.sees("#view h2", &["Order 1"]).await;
    assert!(!phone.scrolls_sideways().await);

    desk.sees("#events tbody tr:first-child", &["awaiting payment"])
        .await;
    desk.click("[data-place='orders']").await;
    desk.sees("#orders tbody tr:first-child", &["1", "awaiting payment"])
        .await;
    desk.click("#orders a[href='#trace-of=1']").await;
    for service in ["router", "cart", "loms", "notifier"] {
        desk.find(&format!(".waterfall .bar[data-service='{service}']"))
            .await;
    }

    desk.click("[data-place='overview']").await;
    let before = shop.service("loms").expect("the order service runs");
    faults::breaks(&desk, "kill-loms").await;
    // Whoever pays meanwhile is told to try again, or is served by the next process.
    eventually("the order is paid", LIMIT, async || {
        let status = phone.text(STATUS).await?;
        if status == "paid" {
            return Some(());
        }
        phone.try_press("Pay").await;
        None
    })
    .await;
    desk.sees("#events tbody tr:first-child", &["paid"]).await;
    desk.sees(&faults::state_of("kill-loms"), &["has healed"])
        .await;
    desk.sees("#services tr[data-key='loms']", &["up"]).await;
    assert_ne!(Some(before), shop.service("loms"), "it is another process");
    faults::all_holds(&desk).await;
    desk.open(&format!("{}#order=1", printed_link(&shop))).await;
    desk.sees("#order", &["paid version 3", "1 × "]).await;
    phone.stop().await;
    desk.stop().await;
    shop.stop().await;
}
