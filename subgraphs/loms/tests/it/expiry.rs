//! Orders that nobody pays.

use std::time::Duration;

use chassis::{clock::Clock, postgres::Probe, retention};
use chrono::TimeDelta;
use loms::order::Orders;
use schema::event::OrderStatus::{AwaitingPayment, Cancelled, New};

use crate::shop::{ORDER_TTL, SKU, Shop, buyer, lines, user};

#[tokio::test]
async fn an_order_that_is_not_paid_in_time_is_cancelled_and_its_units_are_free() {
    let shop = Shop::with_stock(&[(SKU, 10), (2, 10)]).await;
    let order = shop.ordered(1, &[(SKU, 3), (2, 1)]).await;
    let paid = shop.ordered(1, &[(SKU, 1)]).await;
    shop.orders.pay(&buyer(1), paid.id).await.unwrap();
    shop.clock.advance(ORDER_TTL - Duration::from_secs(1));
    assert_eq!(shop.orders.expire(10).await.unwrap(), 0);
    shop.clock.advance(Duration::from_secs(1));
    assert_eq!(shop.orders.expire(10).await.unwrap(), 1);
    assert_eq!(
        (shop.stock(SKU).await, shop.stock(2).await),
        ((9, 0), (10, 0))
    );
    assert_eq!(
        shop.events(order.id).await,
        [(1, New), (2, AwaitingPayment), (3, Cancelled)]
    );
    shop.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn a_batch_is_bounded_and_its_statements_do_not_depend_on_its_size() {
    let shop = Shop::with_stock(&[(SKU, 100)]).await;
    for _ in 0..12 {
        shop.ordered(1, &[(SKU, 1)]).await;
    }
    shop.clock.advance(ORDER_TTL);
    let (few, expired) = shop.statements(shop.orders.expire(2)).await;
    assert_eq!(expired.unwrap(), 2);
    let (many, expired) = shop.statements(shop.orders.expire(100)).await;
    assert_eq!(expired.unwrap(), 10);
    assert_eq!(few, many);
    assert_eq!(shop.stock(SKU).await, (100, 0));
}

#[tokio::test]
async fn a_time_of_zero_lets_an_order_wait_for_ever() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let db = shop.database.db.clone();
    let orders = Orders::new(db, shop.clock.clone(), None, Duration::ZERO);
    let made = orders
        .create(&buyer(1), user(1), &lines(&[(SKU, 1)]))
        .await
        .unwrap();
    assert_eq!(made.value.order.unwrap().expires_at, None);
    shop.clock.advance(Duration::from_secs(1_000_000_000));
    assert_eq!(orders.expire(10).await.unwrap(), 0);
}

/// A row that a payment holds is passed over, so the sweeper never waits for a buyer.
#[tokio::test]
async fn the_sweeper_passes_over_an_order_that_somebody_has_locked() {
    use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    shop.ordered(1, &[(SKU, 1)]).await;
    shop.ordered(1, &[(SKU, 1)]).await;
    shop.clock.advance(ORDER_TTL);
    let payment = shop.database.db.begin().await.unwrap();
    payment
        .execute_unprepared("select 1 from orders where id = 1 for update")
        .await
        .unwrap();
    assert_eq!(shop.orders.expire(10).await.unwrap(), 1);
    payment.rollback().await.unwrap();
    assert_eq!(shop.orders.expire(10).await.unwrap(), 1);
}

/// A process whose machine is three hours ahead or behind cancels nobody's order before its time, and its own orders live as long
/// as others.
#[tokio::test]
async fn a_machine_whose_clock_is_wrong_cancels_nothing_before_its_time() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let process = |clock: &Clock| {
        let db = shop.database.db.clone();
        Orders::new(db, clock.clone(), None, ORDER_TTL)
    };
    let right = process(&Clock::system());
    let wanted = lines(&[(SKU, 1)]);
    for hours in [3, -3] {
        let clock = Clock::ahead_by(TimeDelta::hours(hours));
        let wrong = process(&clock);
        let mut probe = Probe::new(shop.database.db.clone(), clock);
        probe.ask().await.unwrap();
        let made = wrong.create(&buyer(1), user(1), &wanted).await.unwrap();
        assert_eq!(made.value.refusal, None);
        assert_eq!(right.expire(10).await.unwrap(), 0, "{hours}");
        let mut probe = Probe::new(shop.database.db.clone(), Clock::system());
        probe.ask().await.unwrap();
        right.create(&buyer(2), user(2), &wanted).await.unwrap();
        assert_eq!(wrong.expire(10).await.unwrap(), 0, "{hours}");
    }
    assert_eq!(shop.stock(SKU).await, (10, 4));
}

/// What is past its retention is so by the server's clock.
#[tokio::test]
async fn a_machine_whose_clock_is_wrong_forgets_nothing_before_its_time() {
    let shop = Shop::with_stock(&[]).await;
    let keep = Duration::from_hours(30 * 24);
    let mut cutoffs = Vec::new();
    for days in [-40, 0, 40] {
        let clock = Clock::ahead_by(TimeDelta::days(days));
        let cutoff = retention::cutoff(&shop.database.db, &clock, keep).await;
        cutoffs.push(cutoff.unwrap());
    }
    let apart = *cutoffs.last().unwrap() - cutoffs[0];
    assert!(apart < TimeDelta::minutes(5), "{cutoffs:?}");
}
