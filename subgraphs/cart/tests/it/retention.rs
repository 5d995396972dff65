//! What is forgotten 30 days after, and what is not.

use std::time::Duration;

use cart::{
    cart::{Change, Repository as _, domain::Prices, store::PostgresCarts},
    checkout::{Attempt, Outcome, Repository as _},
    retention,
};
use chassis::{clock::Clock, tasks::Tasks};
use chrono::{DateTime, Utc};
use migrations::Database;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use testkit::TestDatabase;

use crate::{key, sku, units, user};

struct Shop {
    database: TestDatabase,
    carts: PostgresCarts,
}

impl Shop {
    async fn new() -> Self {
        let database = testkit::database(Database::Cart).await;
        let carts = PostgresCarts::new(database.db.clone(), Clock::system());
        Self { database, carts }
    }

    /// A checkout of user `id` with this key, which stays open without an answer.
    async fn checkout(&self, id: i64, named: &str, answer: Option<Outcome>) {
        let change = Change::Add(sku(1), units(1));
        let call = change.call(user(id), key(named)).expect("numbers are JSON");
        let added = self.carts.change(user(id), change, Some(&call)).await;
        added.expect("the rules allow it");
        let prices = Prices::from([(sku(1), 5)]);
        let opened = self.carts.open(user(id), Some(&key(named)), &prices).await;
        let Ok(Ok(Attempt::Open(checkout))) = opened else {
            panic!("a cart with a line is ready: {opened:?}");
        };
        if let Some(answer) = answer {
            let settled = self
                .carts
                .settle(user(id), checkout.id, answer.clone())
                .await;
            assert_eq!(settled.expect("the checkout is open"), answer);
        }
    }

    async fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) AS rows FROM {table}");
        let row = self
            .database
            .db
            .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
            .await;
        let row = row.expect("the table is there").expect("a count");
        row.try_get("", "rows").expect("a bigint")
    }

    async fn counts(&self) -> [i64; 4] {
        [
            self.count("checkouts").await,
            self.count("checkout_lines").await,
            self.count("checkout_keys").await,
            self.count("idempotency_keys").await,
        ]
    }

    /// How many checkouts and how many answers went.
    async fn forget(&self, before: DateTime<Utc>, most: u32) -> (u64, u64) {
        let checkouts = self
            .carts
            .delete_checkouts_before(before, most)
            .await
            .expect("the database answers");
        (
            checkouts,
            idempotency::delete_before(&self.database.db, before, most)
                .await
                .expect("the database answers"),
        )
    }

    /// The background task, in a process whose clock is `days` ahead, until the tables have these rows.
    async fn run_after(&self, days: u64, expected: [i64; 4]) {
        let ahead = Clock::system().now() + Duration::from_hours(24 * days);
        let tasks = Tasks::new();
        retention::start(self.carts.clone(), Clock::manual(ahead), &tasks);
        let counted = async || (self.counts().await == expected).then_some(());
        testkit::eventually("old rows go", Duration::from_secs(10), counted).await;
        tasks.shutdown(Duration::from_secs(5)).await;
    }
}

/// Seen red with open checkouts deleted too.
#[tokio::test]
async fn ended_checkouts_and_keys_go_and_open_ones_stay() {
    let shop = Shop::new().await;
    let ordered = Outcome::Ordered(1.try_into().unwrap());
    shop.checkout(1, "a", Some(ordered)).await;
    shop.checkout(2, "b", Some(Outcome::OutOfStock(None))).await;
    shop.checkout(3, "c", None).await;
    assert_eq!(shop.counts().await, [3, 3, 3, 3]);
    let cutoff = Clock::system().now() - Duration::from_hours(24 * 30);
    assert_eq!(
        shop.forget(cutoff, 500).await,
        (0, 0),
        "nothing is 30 days old"
    );
    shop.run_after(31, [1, 1, 1, 0]).await;
    let prices = Prices::new();
    let still_open = shop.carts.open(user(3), Some(&key("c")), &prices).await;
    assert!(
        matches!(still_open, Ok(Ok(Attempt::Open(_)))),
        "{still_open:?}"
    );
}

#[tokio::test]
async fn a_checkout_that_a_younger_key_names_stays() {
    let shop = Shop::new().await;
    shop.checkout(1, "a", Some(Outcome::OutOfStock(None))).await;
    shop.checkout(2, "b", Some(Outcome::OutOfStock(None))).await;
    let age = "UPDATE checkouts SET opened_at = opened_at - interval '40 days'";
    shop.database.db.execute_unprepared(age).await.unwrap();
    let age =
        "UPDATE checkout_keys SET created_at = created_at - interval '40 days' WHERE user_id = 2";
    shop.database.db.execute_unprepared(age).await.unwrap();
    let cutoff = Clock::system().now() - Duration::from_hours(24 * 30);
    assert_eq!(shop.forget(cutoff, 500).await, (1, 0));
    assert_eq!(shop.count("checkout_keys WHERE user_id = 1").await, 1);
}

#[tokio::test]
async fn more_than_a_batch_goes_batch_by_batch() {
    let shop = Shop::new().await;
    for id in 1..=3 {
        shop.checkout(id, "k", Some(Outcome::OutOfStock(None)))
            .await;
    }
    let cutoff = Clock::system().now() + Duration::from_hours(1);
    for left in [(2, 2), (1, 1), (0, 0)] {
        assert_eq!(shop.forget(cutoff, 2).await, left);
    }
}
