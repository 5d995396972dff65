//! What commits is sent, as it was written; what does not commit is not.

use std::time::{Duration, Instant};

use sea_orm::TransactionTrait as _;

use crate::shop::{LIMIT, Shop, assert_in_order, change, changes};

#[tokio::test]
async fn a_committed_event_arrives_whole_and_is_marked() {
    let shop = Shop::open().await;
    let process = shop.process();
    for order in [1, 3] {
        let event = change(order, 1);
        shop.commit(std::slice::from_ref(&event)).await;
        process.relay.wake();
        assert_eq!(shop.next().await.event, event);
    }
    shop.until_all_sent().await;
}

#[tokio::test]
async fn an_event_of_a_transaction_that_did_not_commit_is_never_sent() {
    let shop = Shop::open().await;
    let process = shop.process();
    let tx = shop.database.db.begin().await.unwrap();
    outbox::append(&tx, &[change(1, 1)]).await.unwrap();
    tx.rollback().await.unwrap();
    process.relay.wake();
    let after = change(1, 1);
    shop.commit(std::slice::from_ref(&after)).await;
    process.relay.wake();
    assert_eq!(shop.next().await.event, after);
}

/// Ids of concurrent transactions become visible out of order. Seen red with a pass that begins at the last id.
#[tokio::test]
async fn a_row_that_commits_after_a_later_id_was_sent_is_sent_too() {
    let shop = Shop::open().await;
    let process = shop.process();
    let slow = shop.database.db.begin().await.unwrap();
    let first = change(1, 1);
    outbox::append(&slow, std::slice::from_ref(&first))
        .await
        .unwrap();
    let second = change(2, 1);
    shop.commit(std::slice::from_ref(&second)).await;
    process.relay.wake();
    assert_eq!(shop.next().await.event, second);
    shop.until_all_sent().await;
    slow.commit().await.unwrap();
    process.relay.wake();
    assert_eq!(shop.next().await.event, first);
}

#[tokio::test]
async fn a_commit_without_a_wake_is_noticed_by_the_poll() {
    let shop = Shop::open().await;
    let _process = shop.process();
    shop.commit(&[change(1, 1)]).await;
    shop.next().await;
}

/// The bound is for a debug build on a busy machine; with the poll alone the median would be half a second.
#[tokio::test]
async fn a_woken_relay_sends_at_once() {
    let shop = Shop::open().await;
    let process = shop.process();
    let mut times = Vec::new();
    for version in 1..=60 {
        let event = change(1, version);
        shop.commit(std::slice::from_ref(&event)).await;
        let committed = Instant::now();
        process.relay.wake();
        shop.next().await;
        times.push(committed.elapsed());
    }
    times.sort_unstable();
    println!(
        "commit to reader: median {:?}, longest {:?}",
        times[30], times[59]
    );
    assert!(times[30] < Duration::from_millis(150), "{:?}", times[30]);
}

#[tokio::test]
async fn a_repeated_version_is_refused_with_the_whole_transaction() {
    let shop = Shop::open().await;
    shop.commit(&[change(1, 1)]).await;
    let tx = shop.database.db.begin().await.unwrap();
    assert!(
        outbox::append(&tx, &[change(2, 1), change(1, 1)])
            .await
            .is_err()
    );
    tx.rollback().await.unwrap();
    assert_eq!(shop.unsent().await, 1);
}

/// Rows do not go one by one: those that are marked together have one moment. Meant against a round trip for each.
#[tokio::test]
async fn a_backlog_drains_in_batches_and_in_order() {
    let shop = Shop::open().await;
    let events = changes(1..3001, 2);
    shop.commit(&events).await;
    let _process = shop.process();
    shop.until_all_sent().await;
    let marks = shop
        .count("select count(distinct sent_at) as n from outbox")
        .await;
    assert!(marks < 100, "{} events in {marks} batches", events.len());
    let seen = shop.until_seen(&events).await;
    assert_eq!(seen.len(), events.len(), "nothing is sent twice");
    assert_in_order(&seen);
}

#[tokio::test]
async fn the_relay_finishes_what_is_committed_before_it_stops() {
    let shop = Shop::open().await;
    let process = shop.process();
    shop.commit(&[change(1, 1)]).await;
    process.relay.wake();
    shop.next().await;
    let events = changes(2..500, 1);
    shop.commit(&events).await;
    assert_eq!(process.tasks.shutdown(LIMIT).await, Vec::<&str>::new());
    assert_eq!(shop.unsent().await, 0);
}
