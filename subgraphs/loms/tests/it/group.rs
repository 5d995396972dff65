//! Changes that share a transaction. The outcome is that of the same changes one after the other.

use chassis::fault::Coded as _;
use futures::{FutureExt as _, future::join_all};
use loms::order::{Error, Refusal};
use loms_domain::order::OrderError;
use schema::{code::ErrorCode, event::OrderStatus, shortage::Shortage};

use crate::shop::{SKU, Shop, buyer, keyed, lines, user};

/// Seen red with a group of one.
#[tokio::test]
async fn requests_that_come_together_share_a_transaction() {
    let shop = Shop::grouped(64, &[(SKU, 1_000)]).await;
    let wanted = [(SKU, 2)];
    let (statements, outcomes) = shop
        .statements(join_all((1..=50).map(|id| shop.order(id, &wanted))))
        .await;
    assert!(outcomes.iter().all(|outcome| outcome.refusal.is_none()));
    assert!(statements < 50, "{statements} statements for 50 orders");
    assert_eq!(shop.stock(SKU).await, (1_000, 100));
    for outcome in outcomes {
        let events = shop.events(outcome.order.unwrap().id).await;
        let expected = [(1, OrderStatus::New), (2, OrderStatus::AwaitingPayment)];
        assert_eq!(events, expected);
    }
    shop.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn a_flash_sale_sells_what_there_is_and_refuses_the_rest_by_name() {
    let shop = Shop::grouped(2_000, &[(SKU, 100)]).await;
    let wanted = [(SKU, 1)];
    let outcomes = join_all((1..=1_000).map(|id| shop.order(id, &wanted))).await;
    let won = outcomes.iter().filter(|outcome| outcome.refusal.is_none());
    assert_eq!(won.count(), 100);
    let refusals: Vec<_> = outcomes.iter().filter_map(|it| it.refusal).collect();
    let short = Refusal::Order(OrderError::OutOfStock(Shortage {
        sku: SKU.try_into().unwrap(),
        wanted: 1,
        free: 0,
    }));
    assert!(refusals.iter().all(|refusal| *refusal == short));
    assert_eq!(shop.stock(SKU).await, (100, 100));
    shop.assert_ledger_adds_up().await;
}

#[tokio::test]
async fn a_key_that_comes_twice_at_once_makes_one_order() {
    let shop = Shop::grouped(64, &[(SKU, 10)]).await;
    let (caller, wanted) = (keyed(1, "once"), lines(&[(SKU, 1)]));
    let made = join_all((0..8).map(|_| shop.orders.create(&caller, user(1), &wanted))).await;
    let made: Vec<_> = made.into_iter().map(Result::unwrap).collect();
    assert_eq!(made.iter().filter(|made| !made.replayed).count(), 1);
    assert!(made.iter().all(|it| it.value == made[0].value), "{made:?}");
    assert_eq!(shop.stock(SKU).await, (10, 1));
}

#[tokio::test]
async fn a_key_with_another_input_is_refused_and_its_group_goes_on() {
    let shop = Shop::grouped(64, &[(SKU, 10)]).await;
    let caller = keyed(1, "once");
    let stranger = buyer(2);
    let (one, two) = (lines(&[(SKU, 1)]), lines(&[(SKU, 2)]));
    shop.orders.create(&caller, user(1), &one).await.unwrap();
    let (reused, other) = tokio::join!(
        shop.orders.create(&caller, user(1), &two),
        shop.orders.create(&stranger, user(2), &two),
    );
    assert_eq!(reused.unwrap_err().code(), ErrorCode::IdempotencyKeyReused);
    assert!(other.unwrap().value.refusal.is_none());
    assert_eq!(shop.stock(SKU).await, (10, 3));
}

/// Two changes of one order in one transaction: the second sees what the first left.
#[tokio::test]
async fn a_pay_and_a_cancel_of_one_order_in_one_group_do_not_both_happen() {
    let shop = Shop::grouped(64, &[(SKU, 100), (7, 10)]).await;
    let order = shop.ordered(1, &[(SKU, 3)]).await;
    let held = shop.hold(7).await;
    // The first stands before the lock, so that the next two come together.
    let blocker = [(7, 1)];
    let first = shop.order(2, &blocker);
    let caller = buyer(1);
    let then = async {
        shop.until_blocked().await;
        let both = async {
            tokio::join!(
                shop.orders.pay(&caller, order.id),
                shop.orders.cancel(&caller, order.id),
            )
        };
        let release = async { held.rollback().await.unwrap() };
        tokio::join!(both, release).0
    };
    let (_, (paid, cancelled)) = tokio::join!(first, then);
    assert!(paid.unwrap().value.refusal.is_none());
    let refused = cancelled.unwrap().value.refusal.unwrap();
    assert_eq!(refused.code(), ErrorCode::OrderNotCancellable);
    assert_eq!(shop.stock(SKU).await, (97, 0));
    assert_eq!(shop.events(order.id).await.len(), 3);
    shop.assert_ledger_adds_up().await;
}

/// Seen red with the retry one by one left out.
#[tokio::test]
async fn a_request_that_meets_a_fault_fails_alone() {
    let shop = Shop::grouped(64, &[(SKU, 100), (7, 10)]).await;
    let broken = shop.ordered(1, &[(7, 1)]).await;
    // The ledger does not add up any more: paying meets a fault.
    shop.execute(
        "update stocks set reserved = 0 where sku = $1",
        [7_i64.into()],
    )
    .await;
    let (caller, wanted) = (buyer(1), [(SKU, 1)]);
    let (faulty, good) = tokio::join!(
        shop.orders.pay(&caller, broken.id),
        join_all((2..=20).map(|id| shop.order(id, &wanted))),
    );
    assert_eq!(faulty.unwrap_err().code(), ErrorCode::Internal);
    assert!(good.iter().all(|outcome| outcome.refusal.is_none()));
    assert_eq!(shop.stock(SKU).await, (100, 19));
}

/// Seen red with callers that are not looked after.
#[tokio::test]
async fn a_caller_that_left_before_its_group_is_not_served() {
    let shop = Shop::grouped(64, &[(SKU, 100)]).await;
    let held = shop.hold(SKU).await;
    let wanted = [(SKU, 1)];
    let first = shop.order(1, &wanted);
    let then = async {
        shop.until_blocked().await;
        let left = shop.order(2, &wanted).now_or_never();
        assert!(left.is_none(), "it waits behind the first group");
        held.rollback().await.unwrap();
    };
    tokio::join!(first, then);
    // One that comes later is behind it in the queue.
    shop.ordered(3, &wanted).await;
    assert_eq!(shop.stock(SKU).await, (100, 2));
}

#[tokio::test]
async fn one_request_more_than_may_wait_is_refused_at_once() {
    let shop = Shop::grouped(1, &[(SKU, 100)]).await;
    let held = shop.hold(SKU).await;
    let (caller, wanted) = (buyer(1), lines(&[(SKU, 1)]));
    let create = || shop.orders.create(&caller, user(1), &wanted);
    let rest = async {
        shop.until_blocked().await;
        let second = create();
        let third = async {
            tokio::task::yield_now().await;
            let refused = create().await.unwrap_err();
            assert!(matches!(refused, Error::QueueFull), "{refused}");
            assert_eq!(refused.code(), ErrorCode::Overloaded);
            held.rollback().await.unwrap();
        };
        tokio::join!(second, third).0
    };
    let (first, second) = tokio::join!(create(), rest);
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(shop.stock(SKU).await, (100, 2));
}

/// At the stop, who waits is served, and who comes later runs by itself.
#[tokio::test]
async fn a_stop_loses_nobody_who_waits() {
    let shop = Shop::grouped(64, &[(SKU, 100)]).await;
    let held = shop.hold(SKU).await;
    let wanted = [(SKU, 1)];
    let rest = async {
        shop.until_blocked().await;
        let stopping = async {
            tokio::task::yield_now().await;
            shop.begin_to_stop();
            held.rollback().await.unwrap();
        };
        tokio::join!(shop.order(2, &wanted), stopping).0
    };
    let (first, second) = tokio::join!(shop.order(1, &wanted), rest);
    assert!(first.refusal.is_none() && second.refusal.is_none());
    shop.ordered(3, &wanted).await;
    assert_eq!(shop.stock(SKU).await, (100, 3));
}

/// Statements do not grow with the group, and a group of one has as many as a transaction of its own.
#[tokio::test]
async fn a_group_of_one_costs_no_statement_more() {
    let grouped = Shop::grouped(64, &[(SKU, 100)]).await;
    let alone = Shop::alone(&[(SKU, 100)]).await;
    let wanted = [(SKU, 1), (SKU, 2)];
    let (with, _) = grouped.statements(grouped.order(1, &wanted)).await;
    let (without, _) = alone.statements(alone.order(1, &wanted)).await;
    assert_eq!(with, without);
}
