//! Checkout over both services: one order whatever gets lost. Source: docs/contracts.md §1 and §8.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use ::schema::{code::ErrorCode, shortage::Shortage};
use cart::{
    cart::{Carts, store::PostgresCarts},
    checkout::{Checkouts, Error},
    loms::Loms,
};
use chassis::{clock::Clock, fault::Coded};
use migrations::Database;
use testkit::TestDatabase;

use crate::{fake_loms::FakeLoms, key, products::FakeCatalogue, sku, units, user};

struct Shop {
    _database: TestDatabase,
    catalogue: Arc<FakeCatalogue>,
    carts: Carts,
    checkouts: Checkouts,
}

impl Shop {
    async fn new(loms: Loms) -> Self {
        let catalogue = Arc::new(FakeCatalogue::default());
        let database = testkit::database(Database::Cart).await;
        let store = Arc::new(PostgresCarts::new(database.db.clone(), Clock::system()));
        let products = catalogue.products();
        Self {
            carts: Carts::new(store.clone(), products.clone(), loms.clone()),
            checkouts: Checkouts::new(store, products, loms),
            catalogue,
            _database: database,
        }
    }

    async fn add(&self, id: i64, count: u32) {
        self.carts
            .add_item(user(1), sku(id), units(count), None)
            .await
            .expect("there is enough");
    }

    async fn checkout(&self, named: Option<&str>) -> Result<i64, Error> {
        let key = named.map(key);
        let ordered =
            self.checkouts
                .checkout(user(1), key.as_ref(), None, cart::loms::Terms::Customer);
        let ordered = ordered.await;
        ordered.map(|ordered| ordered.value.get())
    }

    async fn lines(&self) -> Vec<(i64, u32)> {
        let cart = self.carts.find(user(1)).await.expect("postgres answers");
        cart.lines()
            .map(|(sku, count)| (sku.get(), count.get()))
            .collect()
    }

    /// Checks out, and dies when the order is made and before anything is settled.
    async fn checkout_and_crash(&self, loms: &FakeLoms) {
        loms.lose_answers(true);
        tokio::select! {
            answer = self.checkout(None) => panic!("answered {answer:?} although the answer is lost"),
            () = loms.ordered() => {}
        }
        loms.lose_answers(false);
    }
}

/// Contracts §8, case 8.
#[tokio::test]
async fn a_checkout_orders_the_lines_with_their_prices_and_empties_the_cart() {
    let loms = FakeLoms::start([(1, 5), (2, 5)]).await;
    let shop = Shop::new(loms.client()).await;
    shop.add(2, 1).await;
    shop.add(1, 3).await;
    assert_eq!(shop.checkout(None).await.unwrap(), 1);
    assert_eq!(loms.orders(), [[(1, 3, Some(10)), (2, 1, Some(20))]]);
    assert_eq!(shop.lines().await, []);
    assert!(matches!(shop.checkout(None).await, Err(Error::CartEmpty)));
}

/// Seen red with a fresh id for each attempt: two orders.
#[tokio::test]
async fn a_crash_between_the_order_and_the_clearing_makes_one_order() {
    let loms = FakeLoms::start([(1, 9)]).await;
    let shop = Shop::new(loms.client()).await;
    shop.add(1, 3).await;
    shop.checkout_and_crash(&loms).await;
    assert_eq!(shop.lines().await, [(1, 3)], "nothing was cleared");
    shop.add(1, 2).await;
    assert_eq!(shop.checkout(None).await.unwrap(), 1);
    assert_eq!(
        loms.orders(),
        [[(1, 3, Some(10))]],
        "one order, of what was frozen"
    );
    assert_eq!(shop.lines().await, [(1, 2)], "what was added later stays");
}

#[tokio::test]
async fn a_line_taken_out_after_a_lost_answer_is_not_ordered_again() {
    let loms = FakeLoms::start([(1, 9), (2, 9)]).await;
    let shop = Shop::new(loms.client()).await;
    shop.add(1, 1).await;
    shop.add(2, 1).await;
    shop.checkout_and_crash(&loms).await;
    shop.carts.remove_item(user(1), sku(2), None).await.unwrap();
    shop.checkout(None).await.unwrap();
    assert_eq!(loms.orders()[1], [(1, 1, Some(10))]);
    assert_eq!(shop.lines().await, []);
}

/// Seen red with every refusal taken for too little stock.
#[tokio::test]
async fn a_customers_own_limit_is_told_as_such_and_is_not_for_good() {
    let loms = FakeLoms::start([(1, 5)]).await;
    let shop = Shop::new(loms.client()).await;
    shop.add(1, 5).await;
    let why = "you have 200 orders that await payment, and that is the most";
    loms.limit(Some(why));
    let refused = |answer: Result<i64, Error>| match answer {
        Err(error @ Error::OverLimit { .. }) => (error.code(), error.to_string()),
        other => panic!("{other:?}"),
    };
    for key in [None, Some("k"), Some("k")] {
        let refused = refused(shop.checkout(key).await);
        assert_eq!(refused, (ErrorCode::LimitExceeded, why.to_owned()));
        assert_eq!(shop.lines().await, [(1, 5)]);
    }
    loms.limit(None);
    assert_eq!(
        refused(shop.checkout(Some("k")).await).1,
        why,
        "k is answered"
    );
    assert_eq!(shop.checkout(None).await.unwrap(), 1);
}

/// Contracts §1: the cart is cleared only on success. Seen red with the id kept after a refusal: the order service
/// repeated its refusal for good.
#[tokio::test]
async fn too_little_stock_keeps_the_cart_and_is_not_for_good() {
    let loms = FakeLoms::start([(1, 5), (2, 5)]).await;
    let shop = Shop::new(loms.client()).await;
    shop.add(1, 5).await;
    shop.add(2, 5).await;
    loms.restock(2, 4);
    let short = Shortage {
        sku: sku(2),
        wanted: 5,
        free: 4,
    };
    let is_short = |refused: &Result<i64, Error>| matches!(refused, Err(Error::OutOfStock(Some(found))) if *found == short);
    for key in [None, Some("k")] {
        let refused = shop.checkout(key).await;
        assert!(is_short(&refused), "{refused:?}");
        assert_eq!(shop.lines().await, [(1, 5), (2, 5)]);
    }
    loms.restock(2, 5);
    let again = shop.checkout(Some("k")).await;
    assert!(is_short(&again), "k is answered: {again:?}");
    assert_eq!(shop.checkout(None).await.unwrap(), 1);
    assert_eq!(shop.lines().await, []);
}

#[tokio::test]
async fn the_same_key_gives_the_same_order() {
    let loms = FakeLoms::start([(1, 9)]).await;
    let shop = Shop::new(loms.client()).await;
    shop.add(1, 1).await;
    assert_eq!(shop.checkout(Some("k")).await.unwrap(), 1);
    shop.add(1, 1).await;
    assert_eq!(shop.checkout(Some("k")).await.unwrap(), 1);
    assert_eq!(shop.lines().await, [(1, 1)]);
    assert_eq!(shop.checkout(Some("k2")).await.unwrap(), 2);
}

#[tokio::test]
async fn two_checkouts_at_the_same_time_make_one_order() {
    let loms = FakeLoms::start([(1, 9)]).await;
    let shop = Shop::new(loms.client()).await;
    shop.add(1, 2).await;
    let (a, b) = tokio::join!(shop.checkout(None), shop.checkout(None));
    assert_eq!(loms.orders().len(), 1);
    assert!(
        [a, b]
            .into_iter()
            .all(|answer| matches!(answer, Ok(1) | Err(Error::CartEmpty)))
    );
    assert_eq!(shop.lines().await, []);
}

#[tokio::test]
async fn an_order_service_out_of_reach_is_a_fault_and_comes_back() {
    let loms = FakeLoms::start([(1, 9)]).await;
    let shop = Shop::new(loms.client()).await;
    shop.add(1, 2).await;
    let address = loms.stop().await;
    let asked = Instant::now();
    assert_eq!(
        shop.checkout(None).await.unwrap_err().code(),
        ErrorCode::Unavailable
    );
    assert!(asked.elapsed() < Duration::from_secs(5));
    let _loms = FakeLoms::start_on(address, [(1, 9)]).await;
    assert_eq!(shop.checkout(None).await.unwrap(), 1);
}

#[tokio::test]
async fn an_order_service_that_never_answers_is_a_fault_within_the_deadline() {
    let silent = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let loms = Loms::new(&url, Duration::from_millis(300), None).unwrap();
    let asked = Instant::now();
    let error = loms.free_stock(sku(1)).await.unwrap_err();
    assert!(
        matches!(
            error.code(),
            ErrorCode::DeadlineExceeded | ErrorCode::Unavailable
        ),
        "{error:?}"
    );
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test]
async fn no_prices_no_order() {
    let loms = FakeLoms::start([(1, 9)]).await;
    let shop = Shop::new(loms.client()).await;
    shop.add(1, 2).await;
    shop.catalogue.out_of_reach.store(true, Ordering::Relaxed);
    assert_eq!(
        shop.checkout(None).await.unwrap_err().code(),
        ErrorCode::Unavailable
    );
    assert_eq!(loms.orders().len(), 0);
    assert_eq!(shop.lines().await, [(1, 2)]);
}

/// Contracts §8, cases 2 and 16; §1 "stock check scope": what the cart holds already is not counted.
#[tokio::test]
async fn an_add_is_checked_against_catalogue_and_free_stock() {
    let loms = FakeLoms::start([(1, 5), (1001, 5)]).await;
    let shop = Shop::new(loms.client()).await;
    let add = async |id, count| {
        let added = shop
            .carts
            .add_item(user(1), sku(id), units(count), None)
            .await;
        added.map_err(|error| error.code()).err()
    };
    assert_eq!(add(1, 6).await, Some(ErrorCode::OutOfStock));
    assert_eq!(add(1, 5).await, None);
    assert_eq!(
        add(1, 5).await,
        None,
        "only this request's count is compared"
    );
    assert_eq!(add(2, 1).await, Some(ErrorCode::OutOfStock), "no stock row");
    assert_eq!(add(1001, 1).await, Some(ErrorCode::ProductNotFound));
    assert_eq!(add(i64::MAX, 1).await, Some(ErrorCode::ProductNotFound));
    assert_eq!(shop.lines().await, [(1, 10)]);
}
