//! A call over REST whose client says how long it waits.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use schema::event::OrderStatus;
use serde_json::{Value, json};

use super::{shop::Shop, subgraphs::Moment};

/// Far less than the router's own limit.
const PATIENCE_MS: u32 = 300;

async fn shop() -> Shop {
    let address = "127.0.0.1:0".parse().expect("an address");
    let shop = Shop::with(|config| {
        let rest = &mut config.rest;
        rest.enabled = true;
        rest.cart_listen = address;
        rest.loms_listen = address;
        rest.loms_old_listen = address;
        rest.comments_listen = address;
    });
    shop.await
}

/// The status, and gRPC's code in the body.
async fn answer(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let body: Value = response.json().await.expect("JSON");
    (status, body["code"].clone())
}

#[tokio::test]
async fn at_the_clients_deadline_a_read_is_cut_and_a_change_runs_to_its_end() {
    let shop = shop().await;
    let loms = shop.service.rest.expect("it listens").loms;
    shop.orders.set(7, 1, OrderStatus::AwaitingPayment);
    shop.orders.gate(Moment::BeforeTheRow);
    let read = || Client::new().get(format!("http://{loms}/stock/info?sku=7"));
    let pay = || {
        Client::new()
            .post(format!("http://{loms}/order/pay"))
            .json(&json!({"orderId": "7"}))
    };
    let patient = read().header("x-request-timeout-ms", "60000").send();
    let mut patient = Box::pin(patient);

    let send = async |request: reqwest::RequestBuilder| {
        let request = request.header("x-request-timeout-ms", PATIENCE_MS);
        answer(request.send().await.expect("an answer")).await
    };
    let late = (StatusCode::GATEWAY_TIMEOUT, json!(4));
    assert_eq!(send(read()).await, late);
    shop.orders.wait_at_the_gate(0).await;
    assert_eq!(send(pay()).await, late);
    shop.orders.wait_at_the_gate(1).await;
    // Nobody waits for this one either: its client hangs up.
    let hung_up = tokio::time::timeout(Duration::from_millis(300), pay().send()).await;
    assert!(hung_up.is_err(), "{hung_up:?}");
    shop.orders.wait_at_the_gate(2).await;
    assert_eq!(shop.orders.paid(), 0);
    tokio::select! {
        answer = &mut patient => panic!("answered too early: {answer:?}"),
        () = shop.orders.wait_at_the_gate(3) => {}
    }
    shop.orders.open_gate();
    testkit::eventually("both are paid", Duration::from_secs(10), async || {
        (shop.orders.paid() == 2).then_some(())
    })
    .await;
    let (status, _) = answer(patient.await.expect("an answer")).await;
    assert_eq!(status, StatusCode::OK);
    shop.stop().await;
}
