//! Requests that meet. The outcome is that of some order one after the other.

use std::time::Duration;

use futures::future::join_all;
use loms::order::Refusal;
use schema::event::OrderStatus;
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};

use crate::shop::{SKU, Shop, buyer};

/// Source: docs/contracts.md §8, case 10. Seen red with the stock row's lock removed.
#[tokio::test(flavor = "multi_thread")]
async fn buyers_racing_for_the_last_unit_make_one_order() {
    let shop = Shop::with_stock(&[(SKU, 1)]).await;
    shop.open_connections().await;
    let wanted = [(SKU, 1)];
    let outcomes = join_all((1..=6).map(|id| shop.order(id, &wanted))).await;
    let won = outcomes
        .iter()
        .filter(|outcome| outcome.refusal.is_none())
        .count();
    assert_eq!(won, 1, "{outcomes:?}");
    assert_eq!(shop.stock(SKU).await, (1, 1));
    shop.assert_ledger_adds_up().await;
}

/// Source: docs/contracts.md §3, "Concurrent double pay". Seen red with the order's lock removed.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_pays_reduce_the_stock_once() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    shop.open_connections().await;
    let order = shop.ordered(1, &[(SKU, 3)]).await;
    let caller = buyer(1);
    let pays = join_all((0..6).map(|_| shop.orders.pay(&caller, order.id))).await;
    assert!(
        pays.iter()
            .all(|paid| paid.as_ref().unwrap().value.refusal.is_none())
    );
    assert_eq!(shop.stock(SKU).await, (7, 0));
    assert_eq!(shop.events(order.id).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_pay_and_a_cancel_that_meet_one_wins_and_the_other_is_refused() {
    let shop = Shop::with_stock(&[(SKU, 100)]).await;
    shop.open_connections().await;
    let caller = buyer(1);
    for _ in 0..10 {
        let order = shop.ordered(1, &[(SKU, 1)]).await;
        let (paid, cancelled) = tokio::join!(
            shop.orders.pay(&caller, order.id),
            shop.orders.cancel(&caller, order.id)
        );
        let refusals = [
            paid.unwrap().value.refusal,
            cancelled.unwrap().value.refusal,
        ];
        let refused = refusals.iter().filter(|refusal| refusal.is_some()).count();
        assert_eq!(refused, 1, "{refusals:?}");
        assert!(!refusals.contains(&Some(Refusal::NotFound)));
        assert_eq!(shop.events(order.id).await.len(), 3);
    }
    shop.assert_ledger_adds_up().await;
}

/// Locks are taken in SKU order whatever the order of the lines. Seen red with rows locked in an order of each connection's own.
#[tokio::test(flavor = "multi_thread")]
async fn orders_for_the_same_goods_in_any_order_never_deadlock() {
    let skus: Vec<(i64, i64)> = (1..=20).map(|sku| (sku, 1_000_000)).collect();
    let shop = Shop::with_stock(&skus).await;
    shop.open_connections().await;
    let up: Vec<(i64, u32)> = (1..=20).map(|sku| (sku, 1)).collect();
    let down: Vec<(i64, u32)> = up.iter().rev().copied().collect();
    let orders = join_all((0..40).map(|turn| {
        let wanted = if turn % 2 == 0 { &up } else { &down };
        shop.order(1, wanted)
    }));
    assert!(orders.await.iter().all(|outcome| outcome.refusal.is_none()));
    assert_eq!(shop.stock(7).await, (1_000_000, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn pay_cancel_and_expiry_that_meet_settle_an_order_once() {
    let shop = Shop::with_stock(&[(SKU, 100)]).await;
    shop.open_connections().await;
    let caller = buyer(1);
    for _ in 0..5 {
        let order = shop.ordered(1, &[(SKU, 2)]).await;
        shop.clock.advance(crate::shop::ORDER_TTL);
        let (paid, cancelled, expired) = tokio::join!(
            shop.orders.pay(&caller, order.id),
            shop.orders.cancel(&caller, order.id),
            shop.orders.expire(10)
        );
        assert!(paid.is_ok() && cancelled.is_ok() && expired.is_ok());
        let events = shop.events(order.id).await;
        assert_eq!(events.len(), 3, "{events:?}");
        assert!(matches!(
            events[2].1,
            OrderStatus::Paid | OrderStatus::Cancelled
        ));
    }
    shop.assert_ledger_adds_up().await;
}

/// Somebody who breaks the lock order costs a retry and no order. Seen red with no retries.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_retried_and_the_order_is_made_once() {
    let shop = Shop::with_stock(&[(1, 10), (2, 10)]).await;
    let db = &shop.database.db;
    let rude = db.begin().await.unwrap();
    rude.execute_unprepared("select 1 from stocks where sku = 2 for update")
        .await
        .unwrap();
    let breaks_the_order = async {
        testkit::eventually(
            "the order waits for SKU 2",
            Duration::from_secs(10),
            async || {
                let waiting = "select 1 from pg_stat_activity
                           where datname = current_database() and wait_event_type = 'Lock'";
                let found = db.execute_unprepared(waiting).await.ok()?;
                (found.rows_affected() > 0).then_some(())
            },
        )
        .await;
        // The order has waited longer, so the server ends its transaction and not this one.
        rude.execute_unprepared("select 1 from stocks where sku = 1 for update")
            .await
            .unwrap();
        rude.rollback().await.unwrap();
    };
    let (outcome, ()) = tokio::join!(shop.order(1, &[(1, 1), (2, 1)]), breaks_the_order);
    assert_eq!(outcome.refusal, None);
    assert_eq!(
        (shop.stock(1).await, shop.stock(2).await),
        ((10, 1), (10, 1))
    );
    shop.assert_ledger_adds_up().await;
}
