//! One sender a shard, whoever dies.

use std::time::{Duration, Instant};

use outbox::relay;

use crate::shop::{Shop, assert_in_order, change, changes};

/// Ends the database session of the sender, as the death of its process does.
const KILL_SENDER: &str = "select pg_terminate_backend(pid) from pg_locks \
    where locktype = 'advisory' and granted \
    and database = (select oid from pg_database where datname = current_database())";

#[tokio::test]
async fn of_two_relays_one_sends() {
    let shop = Shop::open().await;
    let processes = [shop.process(), shop.process()];
    let events = changes(1..400, 2);
    for part in events.chunks(20) {
        shop.commit(part).await;
        processes.iter().for_each(|process| process.relay.wake());
    }
    shop.until_all_sent().await;
    let seen = shop.until_seen(&events).await;
    assert_eq!(seen.len(), events.len());
    assert_in_order(&seen);
}

#[tokio::test]
async fn another_relay_takes_over_within_two_seconds_when_the_sender_is_killed() {
    let shop = Shop::open().await;
    let _processes = [shop.process(), shop.process()];
    shop.commit(&[change(1, 1)]).await;
    shop.next().await;
    shop.until_all_sent().await;
    shop.execute(KILL_SENDER).await;
    let killed = Instant::now();
    shop.commit(&[change(1, 2)]).await;
    assert_eq!(shop.next().await.event.version, 2);
    assert!(
        killed.elapsed() < Duration::from_secs(2),
        "{:?}",
        killed.elapsed()
    );
}

/// With the poll out of the way only the other process's wake can be the reason.
#[tokio::test]
async fn a_relay_that_does_not_send_passes_the_wake_on() {
    let shop = Shop::open().await;
    let config = relay::Config {
        poll_interval: Duration::from_secs(600),
        ..relay::Config::default()
    };
    let sender = shop.process_with(config.clone());
    shop.commit(&[change(1, 1)]).await;
    sender.relay.wake();
    shop.next().await;
    shop.until_all_sent().await;
    let other = shop.process_with(config);
    testkit::eventually("the other listens", crate::shop::LIMIT, async || {
        let rows = shop.listeners().await;
        (rows >= 2).then_some(())
    })
    .await;
    shop.commit(&[change(1, 2)]).await;
    other.relay.wake();
    assert_eq!(shop.next().await.event.version, 2);
}

#[tokio::test]
async fn shards_share_the_outbox_and_each_keeps_its_orders_in_order() {
    let shop = Shop::open().await;
    let config = relay::Config {
        shards: 3,
        ..relay::Config::default()
    };
    let _processes = [shop.process_with(config.clone()), shop.process_with(config)];
    let events = changes(1..300, 3);
    for part in events.chunks(30) {
        shop.commit(part).await;
    }
    let seen = shop.until_seen(&events).await;
    assert_in_order(&seen);
    shop.until_all_sent().await;
}
