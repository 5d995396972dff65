//! Keys that the version before stored in `cart_changes` are known to this one, and the other way round.

use ::schema::shortage::Shortage;
use cart::cart::{Change, Error, Refusal, Repository as _, store::PostgresCarts};
use chassis::clock::Clock;
use migrations::Database;
use sea_orm::{ConnectionTrait as _, DatabaseConnection};

use crate::{key, sku, units, user};

/// As the version before writes them.
const STORED_BEFORE: &str = "
    insert into cart_changes (user_id, operation, idempotency_key, input, refusal)
    values (1, 'add', 'made', '7 2', null),
           (1, 'add', 'refused', '7 2', 'out_of_stock'),
           (1, 'add', 'full', '7 2', 'too_many_lines'),
           (1, 'remove', 'made', '7', null),
           (1, 'clear', 'made', '', null)";

fn add(count: u32) -> Change {
    Change::Add(sku(7), units(count))
}

async fn all_are_known(db: &DatabaseConnection) {
    let carts = PostgresCarts::new(db.clone(), Clock::system());
    let find = async |change: Change, named: &str| {
        let call = change.call(user(1), key(named)).expect("numbers are JSON");
        carts.find_outcome(&call).await
    };
    for change in [add(2), Change::Remove(sku(7)), Change::Clear] {
        let outcome = find(change, "made").await;
        assert!(
            matches!(outcome, Ok(Some(Ok(())))),
            "{change:?}: {outcome:?}"
        );
    }
    // What there was is told since.
    let before = Shortage {
        sku: sku(7),
        wanted: 0,
        free: 0,
    };
    let refusals = [
        ("refused", Refusal::OutOfStock(before)),
        ("full", Refusal::TooManyLines),
    ];
    for (named, refusal) in refusals {
        let outcome = find(add(2), named).await.expect("the store answers");
        assert_eq!(outcome, Some(Err(refusal)));
    }
    let reused = find(add(3), "made").await;
    assert!(
        matches!(reused, Err(Error::Idempotency(idempotency::Error::Reused))),
        "{reused:?}"
    );
}

#[tokio::test]
async fn a_key_that_an_older_process_stores_is_known_at_once() {
    let database = testkit::database(Database::Cart).await;
    database.db.execute_unprepared(STORED_BEFORE).await.unwrap();
    all_are_known(&database.db).await;
}

#[tokio::test]
async fn a_key_from_before_the_migration_is_known_after_it() {
    let database = testkit::database(Database::Cart).await;
    let copy = include_str!("../../../../migrations/cart/0007_cart_changes_copied.up.sql");
    for sql in [
        "alter table cart_changes disable trigger mirror_cart_change",
        STORED_BEFORE,
        copy,
        copy,
    ] {
        database.db.execute_unprepared(sql).await.unwrap();
    }
    all_are_known(&database.db).await;
}

#[tokio::test]
async fn an_older_process_cannot_make_a_change_a_second_time() {
    let database = testkit::database(Database::Cart).await;
    let carts = PostgresCarts::new(database.db.clone(), Clock::system());
    let call = add(2).call(user(1), key("made")).unwrap();
    carts.change(user(1), add(2), Some(&call)).await.unwrap();
    let again = database.db.execute_unprepared(STORED_BEFORE).await;
    assert!(again.is_err(), "{again:?}");
}
