//! What a customer of the graph orders costs what the catalogue says. Source: docs/contracts.md §3.

use std::sync::{Arc, atomic::Ordering};

use chassis::principal::{Principal, Scopes};
use serde_json::{Value, json};

use crate::{
    catalogue::UNKNOWN,
    shop::{Shop, order_id},
};

const CREATE: &str = "mutation($input: CreateOrderInput!) { createOrder(input: $input) {
    order { id status total { amount } lines { count unitPrice { amount } product { sku } } }
    userErrors { code field message } } }";

fn input(lines: &[(i64, u32)], key: Option<&str>) -> Value {
    let line = |(sku, count): &(i64, u32)| json!({"sku": sku.to_string(), "count": count});
    let lines: Vec<Value> = lines.iter().map(line).collect();
    json!({"input": {"lines": lines, "idempotencyKey": key}})
}

#[tokio::test]
async fn a_customer_orders_at_the_catalogues_prices() {
    let shop = Shop::with_stock(&[(7, 10), (8, 10)]).await;
    let made = shop
        .ask(1, CREATE, input(&[(8, 1), (7, 2), (8, 3)], None))
        .await;
    let order = &made["data"]["createOrder"]["order"];
    assert_eq!(order["total"], json!({"amount": "460"}), "{made}");
    assert_eq!(order["lines"][0]["unitPrice"], json!({"amount": "70"}));
}

/// One unknown SKU among known ones, at whatever place.
#[tokio::test]
async fn what_the_catalogue_does_not_have_cannot_be_bought_and_leaves_nothing_behind() {
    let shop = Shop::with_stock(&[(7, 10), (UNKNOWN, 10)]).await;
    for key in [None, Some("k")] {
        let refused = shop
            .ask(1, CREATE, input(&[(7, 1), (UNKNOWN, 1)], key))
            .await;
        let payload = &refused["data"]["createOrder"];
        assert_eq!(payload["order"], json!(null), "{refused}");
        let error = &payload["userErrors"][0];
        assert_eq!(error["code"], "PRODUCT_NOT_FOUND");
        assert_eq!(error["field"], json!(["input", "lines", "1", "sku"]));
    }
    assert_eq!(shop.events(order_id(1)).await, []);
    assert_eq!(shop.stock(7).await, (10, 0));
    // The refusal is not what the key stands for: the order may be made once the product is there.
    let made = shop.ask(1, CREATE, input(&[(7, 1)], Some("k"))).await;
    assert_eq!(
        made["data"]["createOrder"]["userErrors"],
        json!([]),
        "{made}"
    );
}

#[tokio::test]
async fn without_prices_of_today_nothing_is_ordered() {
    let shop = Shop::with_stock(&[(7, 10)]).await;
    for away in [&shop.catalogue.out_of_reach, &shop.catalogue.stale] {
        away.store(true, Ordering::Relaxed);
        let refused = shop.ask(1, CREATE, input(&[(7, 1)], None)).await;
        let code = &refused["errors"][0]["extensions"]["code"];
        assert_eq!(code, "UNAVAILABLE", "{refused}");
        assert_eq!(shop.stock(7).await, (10, 0));
        away.store(false, Ordering::Relaxed);
    }
}

/// A retry must not fail, cost something else, or count as another input because a price moved or cannot be read.
#[tokio::test]
async fn a_repeat_gets_the_first_response_whatever_the_catalogue_says_by_now() {
    let shop = Shop::with_stock(&[(7, 10)]).await;
    let first = shop.ask(1, CREATE, input(&[(7, 2)], Some("k"))).await;
    assert_eq!(
        first["data"]["createOrder"]["order"]["total"]["amount"],
        "140"
    );
    shop.catalogue.factor.store(11, Ordering::Relaxed);
    let dearer = shop.ask(1, CREATE, input(&[(7, 2)], Some("k"))).await;
    shop.catalogue.out_of_reach.store(true, Ordering::Relaxed);
    let away = shop.ask(1, CREATE, input(&[(7, 2)], Some("k"))).await;
    for repeat in [dearer, away] {
        assert_eq!(repeat["data"], first["data"]);
        assert_eq!(repeat["extensions"]["idempotency"]["replayed"], true);
    }
    let other = shop.ask(1, CREATE, input(&[(7, 3)], Some("k"))).await;
    let error = &other["data"]["createOrder"]["userErrors"][0];
    assert_eq!(error["code"], "IDEMPOTENCY_KEY_REUSED", "{other}");
}

/// Existing clients price their orders themselves or not at all, and operators may order anything. Source: docs/contracts.md
/// §4: two SKUs of the seed are in no catalogue.
#[tokio::test]
async fn operators_and_services_order_without_a_price() {
    let shop = Shop::with_stock(&[(UNKNOWN, 10)]).await;
    shop.catalogue.out_of_reach.store(true, Ordering::Relaxed);
    let by_service = Principal {
        service: Some("rest".to_owned()),
        ..(*shop.principal(1, Scopes::CUSTOMER)).clone()
    };
    for who in [shop.principal(2, Scopes::OPS), Arc::new(by_service)] {
        let made = shop.ask_as(who, CREATE, input(&[(UNKNOWN, 1)], None)).await;
        let payload = &made["data"]["createOrder"];
        assert_eq!(payload["userErrors"], json!([]), "{made}");
        assert_eq!(payload["order"]["total"], json!(null));
    }
}

#[tokio::test]
async fn a_thousand_lines_are_priced() {
    let shop = Shop::empty().await;
    let lines: Vec<(i64, u32)> = (1..=1_000).map(|sku| (sku, 1)).collect();
    let made = shop.ask(1, CREATE, input(&lines, None)).await;
    let payload = &made["data"]["createOrder"];
    assert_eq!(payload["userErrors"][0]["code"], "OUT_OF_STOCK", "{made}");
    assert_eq!(payload["order"]["total"]["amount"], "5005000");
}
