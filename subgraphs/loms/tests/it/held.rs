//! What another process or an operator has locked: it delays those who want it and nobody else.

use std::time::Duration;

use chassis::{
    fault::Coded as _,
    postgres::{self, Config},
    tasks::Tasks,
};
use futures::future::join_all;
use loms::order::{Error, Orders};
use schema::{code::ErrorCode, id::OrderId};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, TransactionTrait as _};

use crate::shop::{ORDER_TTL, PATIENCE, SKU, Shop, buyer, keyed, lines, user};

/// A product that others have locked.
const LOCKED: i64 = 7;

/// Another process over the shop's database, whose groups wait for a locked row only briefly.
struct Process {
    orders: Orders,
    tasks: Tasks,
}

impl Process {
    async fn of(shop: &Shop, patience: Duration) -> Self {
        let config = Config {
            lock_timeout: Duration::from_millis(100),
            ..shop.database.config()
        };
        let db = postgres::connect(&config, &shop.database.name).await;
        let tasks = Tasks::new();
        let orders = Orders::new(db.unwrap(), shop.clock.clone(), None, ORDER_TTL);
        let orders = orders.grouped(64, patience, &tasks);
        Self { orders, tasks }
    }

    /// So many buyers order a unit each; every one of them has to get it.
    async fn sell(&self, sku: i64, buyers: std::ops::Range<i64>) {
        let wanted = lines(&[(sku, 1)]);
        let orders = buyers.map(|id| {
            let wanted = &wanted;
            async move { self.orders.create(&buyer(id), user(id), wanted).await }
        });
        for order in join_all(orders).await {
            assert_eq!(order.unwrap().value.refusal, None);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

async fn hold_order(shop: &Shop, id: OrderId) -> DatabaseTransaction {
    let tx = shop.database.db.begin().await.unwrap();
    let lock = format!("select 1 from orders where id = {id} for update");
    tx.execute_unprepared(&lock).await.unwrap();
    tx
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_stock_row_delays_only_those_who_want_it() {
    let shop = Shop::with_stock(&[(SKU, 1_000), (LOCKED, 1_000)]).await;
    let process = Process::of(&shop, PATIENCE).await;
    let held = shop.hold(LOCKED).await;
    let delayed = process.sell(LOCKED, 1..11);
    let others = async {
        for round in 0..9 {
            let first = 1 + 100 * round;
            process.sell(SKU, first..first + 10).await;
        }
        assert_eq!(shop.stock(LOCKED).await, (1_000, 0), "still locked");
        held.rollback().await.unwrap();
    };
    tokio::join!(delayed, others);
    assert_eq!(shop.stock(SKU).await, (1_000, 90));
    assert_eq!(shop.stock(LOCKED).await, (1_000, 10));
    shop.assert_ledger_adds_up().await;
}

/// The stock that a payment wants is known by its order's lines alone.
#[tokio::test(flavor = "multi_thread")]
async fn payments_for_a_locked_product_delay_nobody_else() {
    let shop = Shop::with_stock(&[(SKU, 1_000), (LOCKED, 1_000)]).await;
    let process = Process::of(&shop, PATIENCE).await;
    let orders = join_all((1..5).map(|id| shop.ordered(id, &[(LOCKED, 1)]))).await;
    let held = shop.hold(LOCKED).await;
    let paying = join_all(orders.iter().map(|order| async {
        let caller = buyer(order.user_id.get());
        process.orders.pay(&caller, order.id).await.unwrap().value
    }));
    let others = async {
        process.sell(SKU, 100..120).await;
        assert_eq!(shop.stock(LOCKED).await, (1_000, 4), "nobody paid yet");
        held.rollback().await.unwrap();
    };
    let (paid, ()) = tokio::join!(paying, others);
    assert!(paid.iter().all(|it| it.refusal.is_none()), "{paid:?}");
    assert_eq!(shop.stock(LOCKED).await, (996, 0));
    shop.assert_ledger_adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_order_delays_only_its_own_payment() {
    let shop = Shop::with_stock(&[(SKU, 1_000)]).await;
    let process = Process::of(&shop, PATIENCE).await;
    let (mine, other) = (
        shop.ordered(1, &[(SKU, 1)]).await,
        shop.ordered(2, &[(SKU, 1)]).await,
    );
    let held = hold_order(&shop, mine.id).await;
    let caller = buyer(1);
    let paying = process.orders.pay(&caller, mine.id);
    let others = async {
        process.sell(SKU, 10..20).await;
        let paid = process.orders.pay(&buyer(2), other.id).await.unwrap();
        assert_eq!(paid.value.refusal, None);
        held.rollback().await.unwrap();
    };
    let (paid, ()) = tokio::join!(paying, others);
    assert_eq!(paid.unwrap().value.refusal, None);
    shop.assert_ledger_adds_up().await;
}

/// As when a client asks another process again, whose first one stands still. Seen red with keys that are awaited in the group.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_another_process_has_delays_only_its_own_repeat() {
    let shop = Shop::with_stock(&[(SKU, 1_000), (LOCKED, 1_000)]).await;
    let process = Process::of(&shop, PATIENCE).await;
    let held = shop.hold(LOCKED).await;
    let (caller, wanted) = (keyed(1, "one"), lines(&[(LOCKED, 1)]));
    // Holds the key while it waits for the row.
    let first = shop.orders.create(&caller, user(1), &wanted);
    let rest = async {
        shop.until_blocked().await;
        let repeat = process.orders.create(&caller, user(1), &wanted);
        let others = async {
            let caller = keyed(2, "two");
            let wanted = lines(&[(SKU, 1)]);
            let made = process.orders.create(&caller, user(2), &wanted).await;
            assert!(!made.unwrap().replayed);
            process.sell(SKU, 10..20).await;
            held.rollback().await.unwrap();
        };
        tokio::join!(repeat, others).0
    };
    let (first, repeat) = tokio::join!(first, rest);
    let (first, repeat) = (first.unwrap(), repeat.unwrap());
    assert!(!first.replayed && repeat.replayed);
    assert_eq!(first.value, repeat.value);
    assert_eq!(shop.stock(LOCKED).await, (1_000, 1));
    shop.assert_ledger_adds_up().await;
}

/// Who waits longer than he may is told so, and nothing happens afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_aside_for_too_long_is_refused_and_does_not_run_later() {
    let shop = Shop::with_stock(&[(SKU, 1_000), (LOCKED, 1_000)]).await;
    let process = Process::of(&shop, Duration::from_millis(300)).await;
    let held = shop.hold(LOCKED).await;
    let (caller, wanted) = (buyer(1), lines(&[(LOCKED, 1)]));
    let late = process.orders.create(&caller, user(1), &wanted).await;
    let late = late.unwrap_err();
    assert!(matches!(late, Error::Locked), "{late:?}");
    assert_eq!(late.code(), ErrorCode::Unavailable);
    held.rollback().await.unwrap();
    process.sell(LOCKED, 2..3).await;
    assert_eq!(shop.stock(LOCKED).await, (1_000, 1));
}

/// The stop waits for those who wait aside.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loses_nobody_who_waits_aside() {
    let shop = Shop::with_stock(&[(SKU, 1_000), (LOCKED, 1_000)]).await;
    let process = Process::of(&shop, PATIENCE).await;
    let held = shop.hold(LOCKED).await;
    let delayed = process.sell(LOCKED, 1..2);
    let stop = async {
        process.sell(SKU, 10..20).await;
        process.tasks.token().cancel();
        held.rollback().await.unwrap();
    };
    tokio::join!(delayed, stop);
    assert_eq!(shop.stock(LOCKED).await, (1_000, 1));
}
