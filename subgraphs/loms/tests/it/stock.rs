//! The ledger's rows: the seed, and what an operator sets. Source: docs/contracts.md §4.

use serde_json::json;

use crate::shop::{SKU, Shop, sku};

const SET: &str = "mutation($input: SetStockInput!) { setStock(input: $input) {
    product { sku stock { available total reserved } } userErrors { code field } } }";

#[tokio::test]
async fn the_seed_can_be_loaded_twice_and_never_overwrites() {
    let shop = Shop::empty().await;
    loms::seed(&shop.database.db).await.unwrap();
    shop.ordered(1, &[(SKU, 5)]).await;
    loms::seed(&shop.database.db).await.unwrap();
    assert_eq!(shop.stock(SKU).await, (300, 40));
    shop.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn the_over_reserved_row_has_nothing_free_and_becomes_legal_for_good() {
    let shop = Shop::empty().await;
    loms::seed(&shop.database.db).await.unwrap();
    let over = 139_818_428;
    assert_eq!(
        shop.stocks.find(sku(over)).await.unwrap().unwrap().0.free(),
        0
    );
    assert!(shop.order(1, &[(over, 1)]).await.refusal.is_some());
    let set = json!({ "input": { "sku": over.to_string(), "total": 200, "expectedTotal": 100 } });
    let answer = shop.ask_ops(SET, set).await;
    assert_eq!(
        answer["data"]["setStock"]["product"]["stock"]["available"], 99,
        "{answer}"
    );
    // Legal now, so the table holds it to that.
    let sql = "update stocks set reserved = total + 1 where sku = 139818428";
    let refused = sea_orm::ConnectionTrait::execute_unprepared(&shop.database.db, sql).await;
    let constraint = chassis::postgres::constraint(&refused.unwrap_err());
    assert_eq!(constraint.as_deref(), Some("stocks_not_over"));
}

#[tokio::test]
async fn stock_is_set_only_over_what_was_read() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let set = |total: i64, expected: i64| json!({ "input": { "sku": SKU.to_string(), "total": total, "expectedTotal": expected } });
    let stale = shop.ask_ops(SET, set(20, 9)).await;
    assert_eq!(
        stale["data"]["setStock"],
        json!({ "product": null, "userErrors": [{ "code": "STALE_STOCK", "field": ["input", "expectedTotal"] }] })
    );
    let done = shop.ask_ops(SET, set(20, 10)).await;
    assert_eq!(
        done["data"]["setStock"]["product"],
        json!({ "sku": SKU.to_string(), "stock": { "available": 20, "total": 20, "reserved": 0 } })
    );
    shop.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn a_total_below_what_orders_hold_is_refused() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    shop.ordered(1, &[(SKU, 4)]).await;
    for total in [3, -1] {
        let set = json!({ "input": { "sku": SKU.to_string(), "total": total } });
        let refused = shop.ask_ops(SET, set).await;
        let errors = &refused["data"]["setStock"]["userErrors"];
        assert_eq!(
            *errors,
            json!([{ "code": "INVALID_ARGUMENT", "field": ["input", "total"] }])
        );
    }
    assert_eq!(shop.stock(SKU).await, (10, 4));
}

#[tokio::test]
async fn a_sku_that_had_no_stock_gets_a_row() {
    let shop = Shop::empty().await;
    let set = json!({ "input": { "sku": "5", "total": 8, "idempotencyKey": "once" } });
    let first = shop.ask_ops(SET, set.clone()).await;
    let second = shop.ask_ops(SET, set).await;
    assert_eq!(first["data"], second["data"]);
    assert_eq!(shop.stock(5).await, (8, 0));
    let refused = shop
        .ask_ops(SET, json!({ "input": { "sku": "6", "total": -1 } }))
        .await;
    assert_eq!(refused["data"]["setStock"]["product"], json!(null));
    assert_eq!(shop.stocks.find(sku(6)).await.unwrap(), None);
    shop.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn a_customer_sets_no_stock_and_sees_only_what_is_free() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let set = json!({ "input": { "sku": SKU.to_string(), "total": 1 } });
    let refused = shop.ask(1, SET, set).await;
    assert_eq!(
        refused["errors"][0]["extensions"]["code"], "FORBIDDEN",
        "{refused}"
    );
    let query = "query($sku: ID!) { stock(sku: $sku) { available total } }";
    let seen = shop.ask(1, query, json!({ "sku": SKU.to_string() })).await;
    assert_eq!(
        seen["data"]["stock"],
        json!({ "available": 10, "total": null })
    );
    assert_eq!(seen["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(shop.stock(SKU).await, (10, 0));
}
