//! The events of the units that can be ordered: one for each change, with it or not at all, and none where nothing changed.

use loms::order::{Orders, Outcome};
use schema::id::OrderId;
use sea_orm::{DbBackend, Statement};
use serde_json::{Value, json};

use crate::shop::{SKU, Shop, buyer, lines, order_id, user};

const SET: &str =
    "mutation($input: SetStockInput!) { setStock(input: $input) { userErrors { code } } }";

impl Shop {
    /// Version and available units of each event of a SKU, in the order in which they will be sent.
    async fn stock_events(&self, sku: i64) -> Vec<(i32, i64)> {
        let sql = "select version, value from topic_outbox
                   where topic = 'loms.stock-events' and key = $1 order by id";
        let values = [sku.to_string().into()];
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        let rows = sea_orm::ConnectionTrait::query_all_raw(&self.database.db, statement).await;
        let read = |row: &sea_orm::QueryResult| {
            let value: String = row.try_get("", "value").unwrap();
            let value: Value = serde_json::from_str(&value).unwrap();
            assert_eq!(value["sku"], sku);
            assert_eq!(value["moment"], "2023-11-14T22:13:20.000000Z");
            let version = row.try_get("", "version").unwrap();
            (version, value["available"].as_i64().unwrap())
        };
        rows.unwrap().iter().map(read).collect()
    }

    async fn set_total(&self, sku: i64, total: i64) -> Value {
        let input = json!({ "input": { "sku": sku.to_string(), "total": total } });
        self.ask_ops(SET, input).await["data"]["setStock"]["userErrors"].clone()
    }
}

async fn pay(orders: &Orders, id: OrderId) -> Outcome {
    orders.pay(&buyer(1), id).await.unwrap().value
}

/// Meant against an event for each write of a row: a payment would send one.
#[tokio::test]
async fn each_change_of_the_free_units_has_one_event_and_a_payment_none() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let first = shop.ordered(1, &[(SKU, 3)]).await;
    let second = shop.ordered(1, &[(SKU, 2), (SKU, 2)]).await;
    pay(&shop.orders, first.id).await;
    pay(&shop.orders, first.id).await;
    shop.orders.cancel(&buyer(1), second.id).await.unwrap();
    assert_eq!(shop.set_total(SKU, 20).await, json!([]));
    // The same total again, and an order that nobody can fill.
    assert_eq!(shop.set_total(SKU, 20).await, json!([]));
    assert!(shop.order(1, &[(SKU, 21)]).await.refusal.is_some());
    let expected = [(1, 7), (2, 3), (3, 7), (4, 20)];
    assert_eq!(shop.stock_events(SKU).await, expected);
    let query = "query($sku: ID!) { stock(sku: $sku) { available version } }";
    let seen = shop.ask(1, query, json!({ "sku": SKU.to_string() })).await;
    assert_eq!(
        seen["data"]["stock"],
        json!({ "available": 20, "version": 4 })
    );
    shop.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn a_row_that_is_over_has_events_only_once_something_is_free() {
    let shop = Shop::empty().await;
    shop.put(5, 100, 100).await;
    assert_eq!(shop.set_total(5, 101).await, json!([]));
    assert_eq!(shop.set_total(6, 0).await, json!([]));
    assert_eq!(shop.set_total(7, 4).await, json!([]));
    assert_eq!(shop.stock_events(5).await, [(1, 1)]);
    assert_eq!(shop.stock_events(6).await, []);
    assert_eq!(shop.stock_events(7).await, [(1, 4)]);
}

#[tokio::test]
async fn an_order_that_ran_out_of_time_gives_its_units_back_with_an_event() {
    let shop = Shop::with_stock(&[(SKU, 1)]).await;
    shop.ordered(1, &[(SKU, 1)]).await;
    shop.execute("update orders set expires_at = created_at", [])
        .await;
    assert_eq!(shop.orders.expire(10).await.unwrap(), 1);
    let events = shop.stock_events(SKU).await;
    assert_eq!(events, [(1, 0), (2, 1)]);
}

/// However many orders a transaction decides, a SKU has one row in it, and the versions have no gap.
#[tokio::test]
async fn many_at_once_leave_versions_without_a_gap_and_the_last_one_tells_the_row() {
    const UNITS: i64 = 40;
    let shop = Shop::with_stock(&[(SKU, UNITS), (77, UNITS)]).await;
    let orders = (1..=60).map(|id| {
        let orders = shop.orders.clone();
        async move {
            let wanted = lines(&[(SKU, 1), (77, 1)]);
            let created = orders.create(&buyer(id), user(id), &wanted).await;
            created.unwrap().value.order.map(|order| order.id)
        }
    });
    let made = futures::future::join_all(orders).await;
    assert_eq!(made.iter().flatten().count(), 60);
    assert!(made.iter().flatten().all(|id| *id >= order_id(1)));
    for sku in [SKU, 77] {
        let events = shop.stock_events(sku).await;
        let versions: Vec<i32> = events.iter().map(|(version, _)| *version).collect();
        let expected: Vec<i32> = (1..=i32::try_from(events.len()).unwrap()).collect();
        assert_eq!(versions, expected);
        assert!(
            events.windows(2).all(|pair| pair[0].1 > pair[1].1),
            "{events:?}"
        );
        assert_eq!(events.last().map(|(_, available)| *available), Some(0));
    }
}

/// The event costs no statement of its own.
#[tokio::test]
async fn an_order_runs_as_many_statements_as_without_the_events() {
    let shop = Shop::alone(&[(SKU, 10), (77, 10)]).await;
    let (with_two, _) = shop.statements(shop.ordered(1, &[(SKU, 1), (77, 1)])).await;
    let (with_one, _) = shop.statements(shop.ordered(1, &[(SKU, 1)])).await;
    assert_eq!(with_two, with_one);
    assert_eq!(shop.stock_events(SKU).await.len(), 2);
    assert_eq!(shop.stock_events(77).await.len(), 1);
}
