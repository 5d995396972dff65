//! The subgraph as the router asks it.

use serde_json::json;

use crate::shop::{SKU, Shop, buyer, keyed, lines, user};

const CREATE: &str = "mutation($input: CreateOrderInput!) { createOrder(input: $input) {
    order { id status version user { id } lines { count product { sku } } total { amount } expiresAt history { status version } }
    userErrors { code field message } } }";

#[tokio::test]
async fn an_order_is_made_paid_and_read_back() {
    let shop = Shop::with_stock(&[(SKU, 10), (2, 5)]).await;
    let lines = json!([{ "sku": SKU.to_string(), "count": 2 }, { "sku": "2", "count": 1 }]);
    let made = shop
        .ask(1, CREATE, json!({ "input": { "lines": lines } }))
        .await;
    assert_eq!(
        made["data"]["createOrder"]["userErrors"],
        json!([]),
        "{made}"
    );
    assert_eq!(
        made["data"]["createOrder"]["order"],
        json!({
            "id": "1", "status": "AWAITING_PAYMENT", "version": 2, "user": { "id": "1" },
            "lines": [{ "count": 1, "product": { "sku": "2" } }, { "count": 2, "product": { "sku": "1076963" } }],
            "total": { "amount": "21539280" }, "expiresAt": "2023-11-14T22:23:20+00:00",
            "history": [{ "status": "NEW", "version": 1 }, { "status": "AWAITING_PAYMENT", "version": 2 }],
        })
    );
    let pay = r#"mutation { payOrder(input: { orderId: "1" }) { order { status version expiresAt } userErrors { code } } }"#;
    let paid = shop.ask(1, pay, json!({})).await;
    assert_eq!(
        paid["data"]["payOrder"],
        json!({ "order": { "status": "PAID", "version": 3, "expiresAt": null }, "userErrors": [] })
    );
    let cancel = r#"mutation { cancelOrder(input: { orderId: "1" }) { order { status } userErrors { code field } } }"#;
    let refused = shop.ask(1, cancel, json!({})).await;
    assert_eq!(
        refused["data"]["cancelOrder"],
        json!({ "order": { "status": "PAID" }, "userErrors": [{ "code": "ORDER_NOT_CANCELLABLE", "field": ["input", "orderId"] }] })
    );
}

#[tokio::test]
async fn a_short_order_is_shown_as_failed_beside_its_refusal() {
    let shop = Shop::with_stock(&[(SKU, 1)]).await;
    let lines = json!([{ "sku": SKU.to_string(), "count": 2 }]);
    let made = shop
        .ask(1, CREATE, json!({ "input": { "lines": lines } }))
        .await;
    let payload = &made["data"]["createOrder"];
    assert_eq!(payload["order"]["status"], "FAILED", "{made}");
    assert_eq!(payload["userErrors"][0]["code"], "OUT_OF_STOCK");
    assert_eq!(payload["userErrors"][0]["field"], json!(["input", "lines"]));
}

/// Source: the principal reaches SQL as a predicate. Seen red with the owner left out of the join.
#[tokio::test]
async fn another_buyers_order_looks_exactly_like_a_missing_one() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    shop.ordered(1, &[(SKU, 1)]).await;
    let query = "query($id: ID!) { order(id: $id) { id } }";
    let order = |id: &str| json!({ "__typename": "Order", "id": id });
    for id in ["1", "77", "0", "-1", "x", "99999999999999999999"] {
        let answer = shop.ask(2, query, json!({ "id": id })).await;
        assert_eq!(answer, json!({ "data": { "order": null } }), "{id}");
        let answer = shop
            .entities(2, json!([order(id)]), "... on Order { status }")
            .await;
        assert_eq!(answer, json!({ "data": { "_entities": [null] } }), "{id}");
    }
    let mine = shop.ask(1, query, json!({ "id": "1" })).await;
    assert_eq!(mine["data"]["order"]["id"], "1");
    let ops = shop.ask_ops(query, json!({ "id": "1" })).await;
    assert_eq!(ops["data"]["order"]["id"], "1");
    for change in ["payOrder", "cancelOrder"] {
        let query = format!(
            r#"mutation {{ {change}(input: {{ orderId: "1" }}) {{ order {{ id }} userErrors {{ code }} }} }}"#
        );
        let answer = shop.ask(2, &query, json!({})).await;
        let expected = json!({ "order": null, "userErrors": [{ "code": "NOT_FOUND" }] });
        assert_eq!(answer["data"][change], expected);
    }
}

#[tokio::test]
async fn a_request_without_a_token_is_refused() {
    let shop = Shop::empty().await;
    let answer = shop
        .subgraph
        .execute(r#"{ order(id: "1") { id } }"#.into())
        .await;
    let answer = serde_json::to_value(answer).unwrap();
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED",
        "{answer}"
    );
}

#[tokio::test]
async fn bad_arguments_name_their_field() {
    let shop = Shop::empty().await;
    let many = vec![json!({ "sku": "1", "count": 1 }); 1_001];
    for (lines, field) in [
        (json!([]), json!(["input", "lines"])),
        (json!(many), json!(["input", "lines"])),
        (
            json!([{ "sku": "1", "count": 1 }, { "sku": "1", "count": 0 }]),
            json!(["input", "lines", "1", "count"]),
        ),
        (
            json!([{ "sku": "0", "count": 1 }]),
            json!(["input", "lines", "0", "sku"]),
        ),
    ] {
        let answer = shop
            .ask(1, CREATE, json!({ "input": { "lines": lines } }))
            .await;
        let error = &answer["data"]["createOrder"]["userErrors"][0];
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("INVALID_ARGUMENT"), &field),
            "{answer}"
        );
    }
    let pay = r#"mutation { payOrder(input: { orderId: "-1" }) { userErrors { code field } } }"#;
    let answer = shop.ask(1, pay, json!({})).await;
    assert_eq!(
        answer["data"]["payOrder"]["userErrors"],
        json!([{ "code": "INVALID_ARGUMENT", "field": ["input", "orderId"] }])
    );
}

/// One statement for all orders of a wave, and one for all stocks.
#[tokio::test]
async fn entities_of_a_batch_cost_one_statement_a_kind() {
    let shop = Shop::with_stock(&[(SKU, 100), (2, 50)]).await;
    for _ in 0..20 {
        shop.ordered(1, &[(SKU, 1)]).await;
    }
    shop.orders
        .pay(&buyer(1), crate::shop::order_id(1))
        .await
        .unwrap();
    let orders: Vec<_> = (1..=20)
        .map(|id| json!({ "__typename": "Order", "id": id.to_string() }))
        .collect();
    let work = shop.entities(1, json!(orders), "... on Order { status }");
    let (statements, answer) = shop.statements(work).await;
    assert_eq!(statements, 1, "{answer}");
    assert_eq!(answer["data"]["_entities"][0]["status"], "PAID");
    assert_eq!(
        answer["data"]["_entities"][19]["status"],
        "AWAITING_PAYMENT"
    );

    let products = json!([
        { "__typename": "Product", "sku": SKU.to_string() },
        { "__typename": "Product", "sku": "2" },
        { "__typename": "Product", "sku": "3" },
    ]);
    let work = shop.entities(1, products, "... on Product { stock { available } }");
    let (statements, answer) = shop.statements(work).await;
    assert_eq!(statements, 1);
    assert_eq!(
        answer["data"]["_entities"],
        json!([{ "stock": { "available": 80 } }, { "stock": { "available": 50 } }, { "stock": null }])
    );
}

#[tokio::test]
async fn a_database_that_is_away_is_one_masked_sentence() {
    use std::time::Duration;
    let nowhere = chassis::postgres::Config {
        url: chassis::config::Secret::new(format!(
            "postgres://hunter2@127.0.0.1:{}/",
            testkit::free_port()
        )),
        acquire_timeout: Duration::from_millis(300),
        ..chassis::postgres::Config::default()
    };
    let db = chassis::postgres::connect(&nowhere, "loms").await.unwrap();
    let clock = chassis::clock::Clock::system();
    let orders = loms::order::Orders::new(db.clone(), clock.clone(), None, Duration::ZERO);
    let stocks = loms::stock::Stocks::new(db, clock);
    let products = crate::catalogue::FakeCatalogue::new().products();
    let subgraph = loms::subgraph(orders, stocks, products, &chassis::tasks::Tasks::new());
    let answer = subgraph
        .execute(r#"{ stock(sku: "1") { available } }"#.into())
        .await;
    let answer = serde_json::to_value(answer).unwrap();
    assert_eq!(
        answer["errors"][0]["extensions"]["code"], "UNAVAILABLE",
        "{answer}"
    );
    assert!(!answer.to_string().contains("hunter2"));
}

/// Part of the history has left the outbox, part of it is still there.
#[tokio::test]
async fn an_orders_history_is_whole_when_its_first_events_have_left_the_outbox() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let made = shop
        .orders
        .create(&keyed(1, "k"), user(1), &lines(&[(SKU, 1)]))
        .await;
    let id = made.unwrap().value.order.unwrap().id;
    let history = "query($id: ID!) { order(id: $id) { history { status version at } } }";
    let id = json!({ "id": id.to_string() });
    let before = shop.ask(1, history, id.clone()).await;
    shop.execute(
        "update outbox set sent_at = created_at where version = 1",
        [],
    )
    .await;
    let soon = chassis::clock::Clock::system().now() + std::time::Duration::from_secs(60);
    let retired = outbox::retire(&shop.database.db, soon, 0, 100)
        .await
        .unwrap();
    assert_eq!(retired.removed, 1);
    let after = shop.ask(1, history, id).await;
    assert_eq!(after, before);
    assert_eq!(
        after["data"]["order"]["history"].as_array().unwrap().len(),
        2
    );
}
