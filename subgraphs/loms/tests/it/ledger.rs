//! What the tables themselves refuse, whatever the code does.

use sea_orm::ConnectionTrait as _;

use crate::shop::{SKU, Shop};

async fn constraint(shop: &Shop, sql: &str) -> Option<String> {
    let refused = shop.database.db.execute_unprepared(sql).await.unwrap_err();
    chassis::postgres::constraint(&refused)
}

#[tokio::test]
async fn the_tables_keep_the_ledgers_bounds() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    shop.ordered(1, &[(SKU, 1)]).await;
    for (sql, name) in [
        ("update stocks set reserved = 11", "stocks_not_over"),
        ("update stocks set reserved = -1", "stocks_reserved_check"),
        (
            "update stocks set total = -1, seeded_over = true",
            "stocks_total_check",
        ),
        ("update orders set status = 'payed'", "orders_status_check"),
        ("update orders set version = 0", "orders_version_check"),
        (
            "update order_lines set count = 0",
            "order_lines_count_check",
        ),
        (
            "update order_lines set count = 4294967296",
            "order_lines_count_check",
        ),
        ("delete from orders", "order_lines_order_id_fkey"),
    ] {
        assert_eq!(constraint(&shop, sql).await.as_deref(), Some(name), "{sql}");
    }
}

#[tokio::test]
async fn the_migrations_can_be_taken_back_and_applied_again() {
    let shop = Shop::empty().await;
    let db = &shop.database.db;
    migrations::down(db, migrations::Database::Loms)
        .await
        .unwrap();
    assert!(db.execute_unprepared("select 1 from orders").await.is_err());
    migrations::up(db, migrations::Database::Loms)
        .await
        .unwrap();
    loms::seed(db).await.unwrap();
}
