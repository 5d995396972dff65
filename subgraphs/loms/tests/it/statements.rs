//! Statements do not grow: neither with the lines of an order nor with the changes that share a transaction.

use futures::future::join_all;
use loms::order::Order;

use crate::shop::{ORDER_TTL, Shop, buyer, keyed, lines, user};

const SIZES: [u32; 3] = [1, 10, 100];

/// Statements of each change, without begin and commit.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    create: usize,
    pay: usize,
    cancel: usize,
    expire: usize,
}

/// So many lines, each of another SKU.
fn goods(count: u32) -> Vec<(i64, u32)> {
    (1..=count).map(|sku| (sku.into(), 1)).collect()
}

/// Units for everybody.
fn shelves() -> Vec<(i64, i64)> {
    (1..=100).map(|sku| (sku, 10_000)).collect()
}

/// So many orders that come together, each from another buyer and with a key.
async fn order_at_once(shop: &Shop, orders: u32, wanted: &[(i64, u32)], key: &str) -> Vec<Order> {
    let wanted = lines(wanted);
    let ids = 1..=i64::from(orders);
    let made = join_all(ids.map(|id| {
        let (caller, wanted) = (keyed(id, key), &wanted);
        async move { shop.orders.create(&caller, user(id), wanted).await }
    }));
    let made = made.await.into_iter();
    made.map(|it| it.unwrap().value.order.unwrap()).collect()
}

/// What each change of `orders` orders at once costs.
async fn cost(shop: &Shop, orders: u32, wanted: &[(i64, u32)]) -> Cost {
    let order = async |key: &str| {
        let key = format!("{key} {orders} {}", wanted.len());
        let ordering = order_at_once(shop, orders, wanted, &key);
        shop.statements(ordering).await
    };
    let (create, made) = order("pay").await;
    let callers: Vec<_> = made.iter().map(|it| buyer(it.user_id.get())).collect();
    let paying = made.iter().zip(&callers);
    let paying = paying.map(|(order, caller)| shop.orders.pay(caller, order.id));
    let (pay, paid) = shop.statements(join_all(paying)).await;
    assert!(paid.iter().all(Result::is_ok), "{paid:?}");
    let (_, made) = order("cancel").await;
    let cancelling = made.iter().zip(&callers);
    let cancelling = cancelling.map(|(order, caller)| shop.orders.cancel(caller, order.id));
    let (cancel, cancelled) = shop.statements(join_all(cancelling)).await;
    assert!(cancelled.iter().all(Result::is_ok), "{cancelled:?}");
    order("expire").await;
    shop.clock.advance(ORDER_TTL);
    let (expire, expired) = shop.statements(shop.orders.expire(1_000)).await;
    assert_eq!(u32::try_from(expired.unwrap()).unwrap(), orders);
    Cost {
        create,
        pay,
        cancel,
        expire,
    }
}

#[tokio::test]
async fn an_order_of_a_hundred_lines_costs_no_statement_more_than_one_of_one_line() {
    let shop = Shop::with_stock(&shelves()).await;
    for count in SIZES {
        let cost = cost(&shop, 1, &goods(count)).await;
        assert_eq!(cost, ONE, "{count} lines");
    }
    shop.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn a_hundred_changes_that_come_together_cost_no_statement_more_than_one() {
    let shop = Shop::grouped(256, &shelves()).await;
    for count in SIZES {
        let cost = cost(&shop, count, &goods(10)).await;
        assert_eq!(cost, ONE, "{count} at once");
    }
    shop.assert_ledger_adds_up().await;
}

/// What one change of one order costs.
const ONE: Cost = Cost {
    create: 7,
    pay: 6,
    cancel: 6,
    expire: 6,
};
