//! Idempotency keys: a change that its caller named happens once.

use std::time::Duration;

use chassis::{clock::Clock, fault::Coded as _, health::Health, tasks::Tasks};
use comments::{Config, Dependencies, Service, comment::Error};
use idempotency::{Key, Recorded};
use schema::code::ErrorCode;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use crate::shop::{EDIT_WINDOW, PAGE, Shop, sku, text, user};

fn key(text: &str) -> Option<Key> {
    Some(text.to_owned().try_into().unwrap())
}

/// Seen red with the key left out of the call.
#[tokio::test]
async fn a_repeated_add_adds_nothing_and_answers_the_same() {
    let shop = Shop::open().await;
    let add = async || {
        shop.comments
            .add(user(1), sku(2), text("once"), key("k"))
            .await
            .unwrap()
    };
    let (first, second) = (add().await, add().await);
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(first.value, second.value);
    assert_eq!(
        shop.comments.count_by_skus(&[sku(2)]).await.unwrap()[&sku(2)],
        1
    );

    let another = shop
        .comments
        .add(user(2), sku(2), text("once"), key("k"))
        .await
        .unwrap();
    assert!(!another.replayed, "a key is its user's own");
}

#[tokio::test]
async fn two_adds_at_once_with_one_key_add_one() {
    let shop = Shop::open().await;
    let add = async || {
        shop.comments
            .add(user(1), sku(2), text("once"), key("k"))
            .await
            .unwrap()
    };
    let (first, second) = tokio::join!(add(), add());
    assert_eq!(first.value, second.value);
    assert_ne!(first.replayed, second.replayed);
}

/// The other SKU lives in the same shard in one case and in the other shard in the other. Seen red with the look at
/// the other shards left out.
#[tokio::test]
async fn a_key_with_another_input_is_refused_on_any_shard() {
    let shop = Shop::open().await;
    shop.comments
        .add(user(1), sku(2), text("once"), key("k"))
        .await
        .unwrap();
    for (product, said) in [(2, "twice"), (4, "once"), (3, "once")] {
        let reused = shop
            .comments
            .add(user(1), sku(product), text(said), key("k"))
            .await
            .unwrap_err();
        assert_eq!(
            reused.code(),
            ErrorCode::IdempotencyKeyReused,
            "sku {product}, {said}"
        );
    }
    let page = shop
        .comments
        .list_by_authors(&[user(1)], &PAGE)
        .await
        .unwrap();
    assert_eq!(page[&user(1)].comments.len(), 1);
}

#[tokio::test]
async fn a_refused_edit_stays_refused_under_its_key() {
    let shop = Shop::open().await;
    let id = shop.add(1, 2, "mine").await.id;
    let edit = async |editor| {
        shop.comments
            .edit(user(editor), id, text("new"), key("k"))
            .await
    };
    let code = |outcome: Result<Recorded<_>, Error>| outcome.unwrap_err().code();
    assert_eq!(code(edit(2).await), ErrorCode::NotTheAuthor);
    assert_eq!(code(edit(2).await), ErrorCode::NotTheAuthor);

    assert!(!edit(1).await.unwrap().replayed);
    shop.clock.advance(EDIT_WINDOW * 2);
    let replay = edit(1).await.unwrap();
    assert!(replay.replayed, "a replay asks no window: nothing changes");
}

#[tokio::test]
async fn keys_that_are_over_their_time_go_from_every_shard() {
    let databases = [
        testkit::database(migrations::Database::Comments).await,
        testkit::database(migrations::Database::Comments).await,
    ];
    for database in &databases {
        let old = "insert into idempotency_keys (user_id, operation, key, fingerprint, answer, created_at)
                   select 1, 'addComment', 'old ' || n, repeat('0', 64), '{}'::jsonb, now() - interval '31 days'
                   from generate_series(1, 2500) as n
                   union all select 1, 'addComment', 'young', repeat('0', 64), '{}'::jsonb, now()";
        database.db.execute_unprepared(old).await.unwrap();
    }
    let config = Config {
        databases: databases.iter().map(|one| one.name.clone()).collect(),
        grpc_listen: ([127, 0, 0, 1], 0).into(),
        ..Config::default()
    };
    let dependencies = Dependencies {
        tokens: testkit::TestTokens::default().of_grpc(),
        postgres: databases[0].config(),
        clock: Clock::system(),
    };
    let tasks = Tasks::new();
    let started = Service::start(config, dependencies, &tasks, &Health::new()).await;
    started.unwrap();
    for database in &databases {
        testkit::eventually("old keys go", Duration::from_secs(20), async || {
            let count = "select count(*) as n from idempotency_keys";
            let count = Statement::from_string(DbBackend::Postgres, count);
            let row = database.db.query_one_raw(count).await.unwrap().unwrap();
            (row.try_get::<i64>("", "n").unwrap() == 1).then_some(())
        })
        .await;
    }
    tasks.shutdown(Duration::from_secs(5)).await;
}
