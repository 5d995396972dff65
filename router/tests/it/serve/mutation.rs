//! What happens to an operation whose client goes away.

use std::time::Duration;

use reqwest::Client;
use schema::event::OrderStatus;
use serde_json::json;

use super::shop::Shop;

async fn abandon(shop: &Shop, query: &str) {
    let reads = shop.orders.reads();
    let request = Client::new().post(shop.url()).bearer_auth(shop.token(1));
    let request = request.json(&json!({ "query": query }));
    let mut pending = Box::pin(request.send());
    let begun = testkit::eventually(
        "the operation has begun",
        Duration::from_secs(10),
        async || (shop.orders.reads() > reads).then_some(()),
    );
    tokio::select! {
        answer = &mut pending => panic!("answered too early: {answer:?}"),
        () = begun => {}
    }
}

/// Seen red with the mutation run in the request's own future.
#[tokio::test]
async fn a_mutation_runs_to_its_end_without_its_client() {
    let shop = Shop::start().await;
    shop.orders.set(7, 1, OrderStatus::AwaitingPayment);
    let _gate = shop.orders.gate();
    abandon(
        &shop,
        r#"mutation { payOrder(input: {orderId: "7"}) { order { id } } }"#,
    )
    .await;
    assert_eq!(shop.orders.paid(), 0);
    shop.orders.open_gate();
    testkit::eventually("the order is paid", Duration::from_secs(10), async || {
        (shop.orders.paid() == 1).then_some(())
    })
    .await;
    shop.stop().await;
}
