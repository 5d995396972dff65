//! Both stores keep the same promises: each test runs against Postgres and against memory.

use ::schema::{id::OrderId, shortage::Shortage};
use cart::{
    cart::{
        Cart, Change, Error, Refusal, Repository,
        domain::Prices,
        store::{MemoryCarts, PostgresCarts},
    },
    checkout::{self, Attempt, Checkout, Outcome, Unpriced},
};
use chassis::clock::Clock;
use migrations::Database;

use crate::{key, sku, units, user};

async fn check<F>(promise: impl Fn(Stores) -> F)
where
    F: Future<Output = ()>,
{
    let memory = MemoryCarts::default();
    promise(Stores {
        carts: Box::new(memory.clone()),
        checkouts: Box::new(memory),
    })
    .await;
    let database = testkit::database(Database::Cart).await;
    let postgres = PostgresCarts::new(database.db.clone(), Clock::system());
    promise(Stores {
        carts: Box::new(postgres.clone()),
        checkouts: Box::new(postgres),
    })
    .await;
}

struct Stores {
    carts: Box<dyn Repository>,
    checkouts: Box<dyn checkout::Repository>,
}

impl Stores {
    async fn add(&self, owner: i64, id: i64, count: u32) {
        self.add_named(owner, id, count, None)
            .await
            .expect("the rules allow it");
    }

    async fn add_named(
        &self,
        owner: i64,
        id: i64,
        count: u32,
        key: Option<&str>,
    ) -> Result<Cart, Error> {
        let add = Change::Add(sku(id), units(count));
        self.change(owner, add, key).await
    }

    async fn change(&self, owner: i64, change: Change, named: Option<&str>) -> Result<Cart, Error> {
        let owner = user(owner);
        let call = named.map(|named| change.call(owner, key(named)).expect("numbers are JSON"));
        let changed = self.carts.change(owner, change, call.as_ref()).await?;
        Ok(changed.value)
    }

    async fn remove(&self, owner: i64, id: i64) {
        let removed = self.change(owner, Change::Remove(sku(id)), None).await;
        removed.expect("removing is always allowed");
    }

    async fn clear(&self, owner: i64, key: Option<&str>) {
        let cleared = self.change(owner, Change::Clear, key).await;
        assert!(cleared.expect("clearing is always allowed").is_empty());
    }

    async fn lines(&self, owner: i64) -> Vec<(i64, u32)> {
        let cart = self
            .carts
            .find(user(owner))
            .await
            .expect("the store answers");
        cart.lines()
            .map(|(sku, count)| (sku.get(), count.get()))
            .collect()
    }

    async fn open(&self, owner: i64, named: Option<&str>) -> Result<Attempt, Unpriced> {
        let prices = Prices::from_iter((1..=9).map(|id| (sku(id), 10)));
        self.checkouts
            .open(user(owner), named.map(key).as_ref(), &prices)
            .await
            .expect("the store answers")
    }

    async fn ready(&self, owner: i64, key: Option<&str>) -> Checkout {
        match self.open(owner, key).await {
            Ok(Attempt::Open(checkout)) => checkout,
            other => panic!("expected an open attempt, got {other:?}"),
        }
    }

    async fn settle(&self, owner: i64, checkout: &Checkout, outcome: Outcome) -> Outcome {
        self.checkouts
            .settle(user(owner), checkout.id, outcome)
            .await
            .expect("the store answers")
    }
}

fn ordered(id: i64) -> Outcome {
    Outcome::Ordered(OrderId::try_from(id).expect("above 0"))
}

/// Contracts §1: repeated adds sum up, lines ascend, carts of two users are two carts.
#[tokio::test]
async fn adds_sum_up_per_user() {
    check(|stores| async move {
        stores.add(1, 9, 1).await;
        stores.add(1, 2, 2).await;
        stores.add(1, 9, 5).await;
        stores.add(2, 9, 7).await;
        assert_eq!(stores.lines(1).await, [(2, 2), (9, 6)]);
        assert_eq!(stores.lines(2).await, [(9, 7)]);
        assert_eq!(stores.lines(3).await, []);
    })
    .await;
}

/// Contracts §1: removing what is absent is no error.
#[tokio::test]
async fn removing_twice_is_as_good_as_once() {
    check(|stores| async move {
        stores.add(1, 1, 1).await;
        stores.add(1, 2, 1).await;
        for _ in 0..2 {
            stores.remove(1, 1).await;
            assert_eq!(stores.lines(1).await, [(2, 1)]);
        }
        for _ in 0..2 {
            stores.clear(1, None).await;
            assert_eq!(stores.lines(1).await, []);
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_add_changes_nothing() {
    check(|stores| async move {
        stores.add(1, 1, 2_147_483_647).await;
        let refused = stores.add_named(1, 1, 1, None).await;
        assert!(matches!(
            refused,
            Err(Error::Refused(Refusal::TooManyUnits { .. }))
        ));
        assert_eq!(stores.lines(1).await, [(1, 2_147_483_647)]);
    })
    .await;
}

/// Seen red with the cart's row unlocked before the lines are read: adds got lost.
#[tokio::test]
async fn adds_at_the_same_time_are_all_kept() {
    check(|stores| async move {
        let adds = (0..8).map(|_| stores.add(1, 1, 3));
        futures::future::join_all(adds).await;
        assert_eq!(stores.lines(1).await, [(1, 24)]);
    })
    .await;
}

/// Seen red with the answer not written in the change's transaction.
#[tokio::test]
async fn a_named_change_is_made_once() {
    check(|stores| async move {
        let adds = (0..5).map(|_| stores.add_named(1, 1, 3, Some("k")));
        assert!(
            futures::future::join_all(adds)
                .await
                .iter()
                .all(Result::is_ok)
        );
        assert_eq!(stores.lines(1).await, [(1, 3)]);
        let other = stores.add_named(1, 1, 4, Some("k")).await;
        assert!(
            matches!(other, Err(Error::Idempotency(idempotency::Error::Reused))),
            "{other:?}"
        );
        stores.clear(1, Some("k")).await;
        stores.add(1, 2, 1).await;
        stores.change(1, Change::Clear, Some("k")).await.unwrap();
        assert_eq!(
            stores.lines(1).await,
            [(2, 1)],
            "cleared once; another operation's key is another"
        );
        stores.add_named(2, 1, 4, Some("k")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_kept_under_its_key() {
    check(|stores| async move {
        let call = Change::Add(sku(1), units(2))
            .call(user(1), key("k"))
            .unwrap();
        assert_eq!(stores.carts.find_outcome(&call).await.unwrap(), None);
        let refusal = Refusal::OutOfStock(Shortage {
            sku: sku(1),
            wanted: 2,
            free: 1,
        });
        let stored = stores.carts.record_refusal(&call, refusal).await.unwrap();
        assert_eq!(stored, Err(refusal));
        let again = stores.add_named(1, 1, 2, Some("k")).await;
        assert!(
            matches!(again, Err(Error::Refused(Refusal::OutOfStock(_)))),
            "{again:?}"
        );
        assert_eq!(stores.lines(1).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_checkout_that_was_short_says_so_again_under_its_key() {
    check(|stores| async move {
        let short = Shortage {
            sku: sku(1),
            wanted: 2,
            free: 1,
        };
        for short in [Some(short), None] {
            let name = format!("{short:?}");
            stores.add(1, 1, 2).await;
            let attempt = stores.ready(1, Some(&name)).await;
            let outcome = Outcome::OutOfStock(short);
            stores.settle(1, &attempt, outcome.clone()).await;
            let again = stores.open(1, Some(&name)).await;
            assert_eq!(again, Ok(Attempt::Ended(outcome)));
        }
    })
    .await;
}

#[tokio::test]
async fn an_unsettled_attempt_is_found_again_unchanged() {
    check(|stores| async move {
        stores.add(1, 1, 2).await;
        let first = stores.ready(1, None).await;
        stores.add(1, 1, 1).await;
        stores.add(1, 2, 1).await;
        assert_eq!(
            stores.ready(1, None).await,
            first,
            "additions are another attempt's"
        );
        assert_eq!(stores.settle(1, &first, ordered(7)).await, ordered(7));
        assert_eq!(stores.lines(1).await, [(1, 1), (2, 1)], "and they stay");
        assert_ne!(stores.ready(1, None).await.id, first.id);
    })
    .await;
}

/// Seen red with the check for a settled row taken out of `settle`: the units left the cart twice.
#[tokio::test]
async fn settling_twice_subtracts_once_and_keeps_the_first_answer() {
    check(|stores| async move {
        stores.add(1, 1, 2).await;
        let attempt = stores.ready(1, None).await;
        stores.settle(1, &attempt, ordered(7)).await;
        stores.add(1, 1, 2).await;
        assert_eq!(
            stores.settle(1, &attempt, Outcome::OutOfStock(None)).await,
            ordered(7)
        );
        assert_eq!(stores.settle(1, &attempt, ordered(8)).await, ordered(7));
        assert_eq!(stores.lines(1).await, [(1, 2)]);
    })
    .await;
}

#[tokio::test]
async fn a_customers_limit_is_kept_with_its_sentence() {
    check(|stores| async move {
        stores.add(1, 1, 2).await;
        let attempt = stores.ready(1, None).await;
        let why = "you have 200 orders that await payment".to_owned();
        let over = Outcome::OverLimit { why };
        assert_eq!(stores.settle(1, &attempt, over.clone()).await, over);
        assert_eq!(stores.settle(1, &attempt, ordered(7)).await, over);
        assert_eq!(stores.lines(1).await, [(1, 2)]);
    })
    .await;
}

#[tokio::test]
async fn what_was_taken_out_is_not_ordered_by_the_next_attempt() {
    check(|stores| async move {
        stores.add(1, 1, 2).await;
        stores.add(1, 2, 2).await;
        let lost = stores.ready(1, None).await;
        stores.remove(1, 2).await;
        stores.add(1, 2, 5).await;
        let next = stores.ready(1, None).await;
        assert_ne!(next.id, lost.id);
        stores.settle(1, &lost, ordered(1)).await;
        assert_eq!(
            stores.lines(1).await,
            [(2, 5)],
            "line 2 was added after it had been taken out"
        );
    })
    .await;
}

#[tokio::test]
async fn a_key_names_one_attempt_for_good() {
    check(|stores| async move {
        stores.add(1, 1, 2).await;
        let attempt = stores.ready(1, Some("k")).await;
        assert_eq!(
            stores.ready(1, Some("other")).await,
            attempt,
            "still the same open attempt"
        );
        stores.settle(1, &attempt, ordered(7)).await;
        stores.add(1, 1, 2).await;
        for key in ["k", "other"] {
            assert_eq!(
                stores.open(1, Some(key)).await,
                Ok(Attempt::Ended(ordered(7)))
            );
        }
        stores.add(2, 1, 2).await;
        assert_ne!(
            stores.ready(2, Some("k")).await.id,
            attempt.id,
            "another user's key is another"
        );
        assert_ne!(stores.ready(1, Some("new")).await.id, attempt.id);
    })
    .await;
}

#[tokio::test]
async fn an_empty_cart_is_answered_and_the_answer_stays_with_its_key() {
    check(|stores| async move {
        let empty = Ok(Attempt::Ended(Outcome::CartEmpty));
        assert_eq!(stores.open(1, None).await, empty);
        assert_eq!(stores.open(1, Some("k")).await, empty);
        stores.add(1, 1, 2).await;
        assert_eq!(stores.open(1, Some("k")).await, empty);
        stores.ready(1, Some("k2")).await;
    })
    .await;
}

#[tokio::test]
async fn lines_without_a_price_are_named_and_nothing_is_frozen() {
    check(|stores| async move {
        stores.add(1, 1, 2).await;
        stores.add(1, 77, 2).await;
        assert_eq!(
            stores.open(1, Some("k")).await,
            Err(Unpriced(vec![sku(77)]))
        );
        stores.remove(1, 77).await;
        assert_eq!(stores.ready(1, Some("k")).await.lines.len(), 1);
    })
    .await;
}
