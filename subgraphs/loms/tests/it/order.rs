//! One order through its life. Source: docs/contracts.md §3 and §7.

use loms::order::Refusal;
use loms_domain::order::OrderError;
use schema::{
    event::OrderStatus::{self, AwaitingPayment, Cancelled, Failed, New, Paid},
    shortage::Shortage,
};

use crate::shop::{ORDER_TTL, SKU, Shop, buyer, lines, order_id, sku, user};

#[tokio::test]
async fn an_order_reserves_every_line_and_announces_new_then_awaiting_payment() {
    let shop = Shop::with_stock(&[(SKU, 10), (2, 5)]).await;
    let order = shop.ordered(1, &[(SKU, 3), (2, 5)]).await;
    assert_eq!(
        (order.id, order.status, order.version),
        (order_id(1), AwaitingPayment, 2)
    );
    assert_eq!(
        (shop.stock(SKU).await, shop.stock(2).await),
        ((10, 3), (5, 5))
    );
    assert_eq!(
        shop.events(order.id).await,
        [(1, New), (2, AwaitingPayment)]
    );
}

fn short(id: i64, wanted: i64, free: i64) -> Shortage {
    let sku = sku(id);
    Shortage { sku, wanted, free }
}

/// Seen red with the check of free units removed.
#[tokio::test]
async fn one_short_line_reserves_nothing_and_the_failed_order_stays_readable() {
    let shop = Shop::with_stock(&[(SKU, 10), (2, 5)]).await;
    let outcome = shop.order(1, &[(SKU, 3), (2, 6)]).await;
    assert_eq!(
        outcome.refusal,
        Some(Refusal::Order(OrderError::OutOfStock(short(2, 6, 5))))
    );
    let order = outcome.order.unwrap();
    assert_eq!(
        (shop.stock(SKU).await, shop.stock(2).await),
        ((10, 0), (5, 0))
    );
    assert_eq!(shop.events(order.id).await, [(1, New), (2, Failed)]);
    let found = shop
        .orders
        .find(loms::Access::Owner(user(1)), order.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.status, found.expires_at), (Failed, None));
}

#[tokio::test]
async fn a_sku_without_a_stock_row_is_out_of_stock() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let outcome = shop.order(1, &[(SKU, 1), (999_999_999, 1)]).await;
    let refusal = OrderError::OutOfStock(short(999_999_999, 1, 0));
    assert_eq!(outcome.refusal, Some(Refusal::Order(refusal)));
    assert_eq!(shop.stock(SKU).await, (10, 0));
}

#[tokio::test]
async fn duplicate_lines_stay_two_lines_and_are_reserved_as_their_sum() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let order = shop.ordered(1, &[(SKU, 3), (SKU, 4)]).await;
    assert_eq!(shop.stock(SKU).await, (10, 7));
    let kept = shop.orders.lines(&[order.id]).await.unwrap();
    let counts: Vec<u32> = kept[&order.id].iter().map(|line| line.count).collect();
    assert_eq!(counts, [3, 4]);
    assert!(shop.order(1, &[(SKU, 2), (SKU, 2)]).await.refusal.is_some());
}

/// Seen red with a repeat treated as a change.
#[tokio::test]
async fn a_repeated_pay_is_fine_and_emits_nothing() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let order = shop.ordered(1, &[(SKU, 3)]).await;
    for _ in 0..2 {
        let paid = shop.orders.pay(&buyer(1), order.id).await.unwrap().value;
        assert_eq!((paid.order.unwrap().status, paid.refusal), (Paid, None));
        assert_eq!(shop.stock(SKU).await, (7, 0));
    }
    assert_eq!(
        shop.events(order.id).await,
        [(1, New), (2, AwaitingPayment), (3, Paid)]
    );
}

#[tokio::test]
async fn a_repeated_cancel_is_fine_and_emits_nothing() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let order = shop.ordered(1, &[(SKU, 3)]).await;
    for _ in 0..2 {
        let cancelled = shop.orders.cancel(&buyer(1), order.id).await.unwrap().value;
        assert_eq!(
            (cancelled.order.unwrap().status, cancelled.refusal),
            (Cancelled, None)
        );
        assert_eq!(shop.stock(SKU).await, (10, 0));
    }
    assert_eq!(
        shop.events(order.id).await,
        [(1, New), (2, AwaitingPayment), (3, Cancelled)]
    );
}

#[tokio::test]
async fn a_final_order_refuses_the_other_change_and_keeps_its_stock() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let paid = shop.ordered(1, &[(SKU, 3)]).await;
    shop.orders.pay(&buyer(1), paid.id).await.unwrap();
    let refused = shop.orders.cancel(&buyer(1), paid.id).await.unwrap().value;
    let expected = OrderError::NotCancellable { status: Paid };
    assert_eq!(refused.refusal, Some(Refusal::Order(expected)));

    let cancelled = shop.ordered(1, &[(SKU, 2)]).await;
    shop.orders.cancel(&buyer(1), cancelled.id).await.unwrap();
    let refused = shop
        .orders
        .pay(&buyer(1), cancelled.id)
        .await
        .unwrap()
        .value;
    let expected = OrderError::NotPayable { status: Cancelled };
    assert_eq!(refused.refusal, Some(Refusal::Order(expected)));
    assert_eq!(shop.stock(SKU).await, (7, 0));
    shop.assert_ledger_adds_up().await;
}

/// Seen red with the owner's predicate taken out of the lock.
#[tokio::test]
async fn another_buyers_order_looks_absent_and_cannot_be_changed() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let order = shop.ordered(1, &[(SKU, 3)]).await;
    for id in [order.id, order_id(9_223_372_036_854_775_001)] {
        let paid = shop.orders.pay(&buyer(2), id).await.unwrap().value;
        assert_eq!((paid.order, paid.refusal), (None, Some(Refusal::NotFound)));
        let cancelled = shop.orders.cancel(&buyer(2), id).await.unwrap().value;
        assert_eq!(
            (cancelled.order, cancelled.refusal),
            (None, Some(Refusal::NotFound))
        );
    }
    assert_eq!(shop.events(order.id).await.len(), 2);
}

#[tokio::test]
async fn an_order_of_a_thousand_lines_is_fine() {
    let shop = Shop::with_stock(&[(SKU, 1_000)]).await;
    let wanted = vec![(SKU, 1); 1_000];
    let order = shop
        .orders
        .create(&buyer(1), user(1), &lines(&wanted))
        .await
        .unwrap();
    assert_eq!(
        order.value.order.unwrap().status,
        OrderStatus::AwaitingPayment
    );
    assert_eq!(shop.stock(SKU).await, (1_000, 1_000));
}

/// Whatever the change, and each once. Seen red with the SKUs of changes left out.
#[tokio::test]
async fn every_event_names_the_skus_of_its_order() {
    let shop = Shop::with_stock(&[(SKU, 10), (2, 5)]).await;
    let paid = shop.ordered(1, &[(SKU, 1), (2, 1), (SKU, 1)]).await;
    shop.orders.pay(&buyer(1), paid.id).await.unwrap();
    let failed = shop.order(1, &[(2, 600)]).await.order.unwrap();
    let cancelled = shop.ordered(1, &[(SKU, 1)]).await;
    shop.orders.cancel(&buyer(1), cancelled.id).await.unwrap();
    let expired = shop.ordered(1, &[(2, 1)]).await;
    shop.clock.advance(ORDER_TTL);
    assert_eq!(shop.orders.expire(10).await.unwrap(), 1);
    let both = format!("2,{SKU}");
    let (one, other) = ("2".to_owned(), SKU.to_string());
    for (order, expected) in [
        (paid, vec![both; 3]),
        (failed, vec![one.clone(); 2]),
        (cancelled, vec![other; 3]),
        (expired, vec![one; 3]),
    ] {
        assert_eq!(shop.skus(order.id).await, expected);
    }
}
