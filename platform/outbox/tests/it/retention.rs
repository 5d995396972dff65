//! What was sent long ago leaves the outbox; what was not sent never does.

use std::time::Duration;

use chassis::{clock::Clock, health::Health, tasks::Tasks};
use outbox::{Relay, relay, retire};

use crate::shop::{LIMIT, Shop, changes};

/// Ages the rows that were sent.
const AGE: &str = "update outbox set created_at = created_at - interval '8 days', \
                   sent_at = sent_at - interval '8 days'";

/// Moves everything that is 7 days old, page by page; how many events moved.
async fn retire_all(shop: &Shop, page: u32) -> u64 {
    let before = Clock::system().now() - Duration::from_hours(7 * 24);
    let (mut moved, mut after) = (0, Some(0));
    while let Some(from) = after {
        let retired = retire(&shop.database.db, before, from, page).await.unwrap();
        moved += retired.removed;
        after = retired.next;
    }
    moved
}

async fn rows(shop: &Shop) -> (i64, i64) {
    let outbox = shop.count("select count(*) as n from outbox").await;
    let history = shop.count("select count(*) as n from order_history").await;
    (outbox, history)
}

/// Old, unsent rows stand between old, sent ones.
#[tokio::test]
async fn an_event_that_was_not_sent_never_leaves_however_old() {
    let shop = Shop::open().await;
    shop.commit(&changes(1..6, 4)).await;
    shop.execute("update outbox set sent_at = now() where order_id % 2 = 0; update outbox set created_at = now() - interval '8 days', sent_at = sent_at - interval '8 days'").await;
    assert_eq!(retire_all(&shop, 3).await, 8);
    assert_eq!(rows(&shop).await, (12, 8));
    assert_eq!(shop.unsent().await, 12);
    let wrong = "select count(*) as n from order_history where order_id % 2 = 1";
    assert_eq!(shop.count(wrong).await, 0);
}

#[tokio::test]
async fn young_events_stay_and_old_ones_keep_their_id_version_status_and_moment() {
    let shop = Shop::open().await;
    shop.commit(&changes(1..3, 2)).await;
    shop.execute("update outbox set sent_at = now()").await;
    shop.execute(AGE).await;
    shop.execute("create table before as select * from outbox")
        .await;
    shop.commit(&changes(3..4, 2)).await;
    shop.execute("update outbox set sent_at = now() where sent_at is null")
        .await;
    assert_eq!(retire_all(&shop, 100).await, 4);
    assert_eq!(rows(&shop).await, (2, 4));
    let same = "select count(*) as n from before join order_history as h using (order_id, version, event_id) \
                where h.status = before.status and h.moment = before.moment";
    assert_eq!(shop.count(same).await, 4);
    assert_eq!(
        retire_all(&shop, 100).await,
        0,
        "a second round finds nothing"
    );
}

/// The operator sends events again while they are about to leave: the rows are locked by the update.
#[tokio::test]
async fn an_event_that_becomes_unsent_meanwhile_stays() {
    use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
    let shop = Shop::open().await;
    shop.commit(&changes(1..2, 3)).await;
    shop.execute("update outbox set sent_at = now()").await;
    shop.execute(AGE).await;
    let again = shop.database.db.begin().await.unwrap();
    again
        .execute_unprepared("update outbox set sent_at = null where version = 2")
        .await
        .unwrap();
    let commit = async {
        let waits = "select count(*) as n from pg_stat_activity where datname = current_database() \
                     and wait_event_type = 'Lock'";
        testkit::eventually("the removal waits for the row", LIMIT, async || {
            (shop.count(waits).await == 1).then_some(())
        })
        .await;
        again.commit().await.unwrap();
    };
    let (moved, ()) = tokio::join!(retire_all(&shop, 100), commit);
    assert_eq!(moved, 2);
    assert_eq!(shop.unsent().await, 1);
}

#[tokio::test]
async fn the_relay_moves_more_than_a_page_and_with_a_retention_of_zero_nothing() {
    let shop = Shop::open().await;
    shop.commit(&changes(1..1_101, 2)).await;
    shop.execute("update outbox set sent_at = now()").await;
    shop.execute(AGE).await;
    let tasks = Tasks::new();
    for (retention, left) in [
        (Duration::ZERO, (2_200, 0)),
        (Duration::from_hours(24), (0, 2_200)),
    ] {
        let config = relay::Config {
            retention,
            ..relay::Config::default()
        };
        let (db, kafka) = (shop.database.db.clone(), shop.kafka.clone());
        let relay = Relay::start(
            config,
            db,
            kafka,
            &[],
            Clock::system(),
            &tasks,
            &Health::new(),
        );
        relay.wake();
        testkit::eventually("the tables have these rows", LIMIT, async || {
            (rows(&shop).await == left).then_some(())
        })
        .await;
    }
    tasks.shutdown(LIMIT).await;
}
