//! What happens to an operation whose client goes away.

use std::time::Duration;

use reqwest::Client;
use schema::event::OrderStatus;
use serde_json::json;

use super::{shop::Shop, subgraphs::Moment};

/// Seen red with the mutation run in the request's own future: the order was never paid.
#[tokio::test]
async fn a_query_dies_with_its_client_and_a_mutation_runs_to_its_end() {
    let shop = Shop::start().await;
    shop.orders.set(7, 1, OrderStatus::AwaitingPayment);
    shop.orders.gate(Moment::BeforeTheRow);
    let send = |query: &str| {
        let request = Client::new().post(shop.url()).bearer_auth(shop.token(1));
        Box::pin(request.json(&json!({ "query": query })).send())
    };
    let mut query = send(r#"{ order(id: "7") { id } }"#);
    let mut mutation = send(r#"mutation { payOrder(input: {orderId: "7"}) { order { id } } }"#);
    tokio::select! {
        answer = &mut query => panic!("answered too early: {answer:?}"),
        answer = &mut mutation => panic!("answered too early: {answer:?}"),
        () = shop.orders.wait_at_the_gate(2) => {}
    }
    drop((query, mutation));
    shop.orders.wait_at_the_gate(1).await;
    assert_eq!(shop.orders.paid(), 0);
    shop.orders.open_gate();
    testkit::eventually("the order is paid", Duration::from_secs(10), async || {
        (shop.orders.paid() == 1).then_some(())
    })
    .await;
    shop.stop().await;
}

/// One header names one request: two equal fields of it are two changes, and a repeat of the document repeats each.
#[tokio::test]
async fn fields_of_one_document_under_one_header_have_keys_of_their_own() {
    let shop = Shop::start().await;
    shop.orders.set(7, 1, OrderStatus::AwaitingPayment);
    let send = async |query: &str| {
        let request = Client::new().post(shop.url()).bearer_auth(shop.token(1));
        let request = request.header("idempotency-key", "k");
        let answer = request.json(&json!({ "query": query })).send().await;
        assert!(answer.expect("an answer").status().is_success());
        shop.orders.take_keys()
    };
    let pay = |names: &[&str]| {
        let field = |name: &&str| {
            format!(r#"{name} payOrder(input: {{orderId: "7"}}) {{ order {{ id }} }}"#)
        };
        let fields: Vec<String> = names.iter().map(field).collect();
        format!("mutation {{ {} }}", fields.join(" "))
    };
    assert_eq!(
        send(&pay(&[""])).await,
        ["k"],
        "a single field has the header's"
    );
    assert_eq!(send(&pay(&["x:"])).await, ["k"], "whatever its name");
    let both = send(&pay(&["a:", "b:"])).await;
    assert_eq!(both.len(), 2);
    assert_ne!(both[0], both[1]);
    assert_eq!(
        send(&pay(&["a:", "b:"])).await,
        both,
        "a repeat has the same"
    );
    shop.stop().await;
}
