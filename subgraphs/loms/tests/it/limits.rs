//! What a customer may hold without having paid. Clients of the compatibility profile have no such limits.

use chassis::fault::Coded as _;
use futures::future::join_all;
use loms::order::{Limits, Orders, Outcome, Refusal};
use schema::code::ErrorCode;

use crate::shop::{PATIENCE, SKU, Shop, buyer, lines, user};

const LIMITS: Limits = Limits {
    open_orders: 3,
    share_percent: 50,
};

async fn order(orders: &Orders, shop: &Shop, id: i64, wanted: &[(i64, u32)]) -> Outcome {
    let (caller, products) = (buyer(id), shop.catalogue.products());
    let wanted = lines(wanted);
    let made = orders.create_priced(&caller, user(id), &wanted, &products);
    made.await.unwrap().value
}

/// Also of those that come together.
#[tokio::test]
async fn a_customer_has_so_many_open_orders_and_no_more() {
    let shop = Shop::with_stock(&[(SKU, 1_000)]).await;
    let tasks = chassis::tasks::Tasks::new();
    let orders = shop.orders.clone().limited(LIMITS);
    let orders = orders.grouped(64, PATIENCE, &tasks);
    let made = join_all((0..8).map(|_| order(&orders, &shop, 1, &[(SKU, 1)]))).await;
    let refused: Vec<_> = made.iter().filter_map(|it| it.refusal).collect();
    assert_eq!(refused, [Refusal::OpenOrders { limit: 3 }; 5]);
    assert_eq!(refused[0].code(), ErrorCode::LimitExceeded);
    assert!(
        refused[0].to_string().contains("3 orders"),
        "{}",
        refused[0]
    );
    assert_eq!(shop.stock(SKU).await, (1_000, 3));
    assert_eq!(order(&orders, &shop, 2, &[(SKU, 1)]).await.refusal, None);
    let paid = made.iter().find_map(|it| it.order).unwrap();
    orders.pay(&buyer(1), paid.id).await.unwrap();
    assert_eq!(order(&orders, &shop, 1, &[(SKU, 1)]).await.refusal, None);
    // A client of REST or gRPC is not asked.
    let (caller, wanted) = (buyer(1), lines(&[(SKU, 1)]));
    for _ in 0..4 {
        let made = orders.create(&caller, user(1), &wanted);
        assert_eq!(made.await.unwrap().value.refusal, None);
    }
    shop.assert_ledger_adds_up().await;
    tasks.token().cancel();
}

#[tokio::test]
async fn a_customer_reserves_a_share_of_a_product_and_no_more() {
    let shop = Shop::with_stock(&[(SKU, 1_000), (7, 120)]).await;
    let orders = shop.orders.clone().limited(Limits {
        open_orders: 200,
        ..LIMITS
    });
    let share = Refusal::Share {
        sku: SKU.try_into().unwrap(),
        limit: 500,
    };
    assert_eq!(order(&orders, &shop, 1, &[(SKU, 400)]).await.refusal, None);
    let refused = order(&orders, &shop, 1, &[(SKU, 101)]).await;
    assert_eq!((refused.order, refused.refusal), (None, Some(share)));
    assert_eq!(order(&orders, &shop, 1, &[(SKU, 100)]).await.refusal, None);
    let refused = order(&orders, &shop, 1, &[(SKU, 1)]).await;
    assert_eq!(refused.refusal, Some(share));
    // Others have what is left, and what is short is out of stock as ever.
    assert_eq!(order(&orders, &shop, 2, &[(SKU, 500)]).await.refusal, None);
    let short = order(&orders, &shop, 3, &[(SKU, 1)]).await;
    assert_eq!(short.refusal.unwrap().code(), ErrorCode::OutOfStock);
    // Of a product of which there are few, a hundred units are always allowed.
    assert_eq!(order(&orders, &shop, 1, &[(7, 100)]).await.refusal, None);
    let refused = order(&orders, &shop, 1, &[(7, 1)]).await;
    assert_eq!(refused.refusal.unwrap().code(), ErrorCode::LimitExceeded);
    assert_eq!(shop.stock(SKU).await, (1_000, 1_000));
    shop.assert_ledger_adds_up().await;
}
