//! Crashes and outages between commit, acknowledgement and mark.

use std::time::Duration;

use outbox::relay;

use crate::shop::{Shop, assert_in_order, change, changes, read};

/// Lets no row be marked, as a crash between the acknowledgement and the mark does.
const NO_MARKS: &str = "
    create function refuse_mark() returns trigger language plpgsql as
        $$ begin raise exception 'no mark'; end $$;
    create trigger refuse_mark before update on outbox for each row execute function refuse_mark()";

#[tokio::test]
async fn a_crash_between_acknowledgement_and_mark_repeats_and_loses_nothing() {
    let shop = Shop::open().await;
    shop.execute(NO_MARKS).await;
    let events = changes(1..50, 3);
    shop.commit(&events).await;
    let _process = shop.process();
    let mut seen = shop.until_seen(&events).await;
    // The second time round: nothing was marked, so all of it comes again.
    seen.extend(shop.until_seen(&events).await);
    shop.execute("drop trigger refuse_mark on outbox").await;
    shop.until_all_sent().await;
    assert_in_order(&seen);
}

/// Refuses each mark as a server does whose disk is full, and counts. Source: SQLSTATE `disk_full`.
const NO_ROOM: &str = "
    create sequence refused;
    create function refuse_mark() returns trigger language plpgsql as
        $$ begin perform nextval('refused'); raise exception 'no room' using errcode = '53100'; end $$;
    create trigger refuse_mark before update on outbox for each row execute function refuse_mark()";

/// Else the topic would fill up for as long as the database's disk is full. Seen red with a relay that begins anew.
#[tokio::test]
async fn a_mark_that_finds_no_room_is_tried_again_and_nothing_is_sent_again() {
    let shop = Shop::open().await;
    shop.execute(NO_ROOM).await;
    let events = changes(1..50, 1);
    shop.commit(&events).await;
    let process = shop.process();
    let seen = shop.until_seen(&events).await;
    testkit::eventually("the mark is tried again", crate::shop::LIMIT, async || {
        let refused = "select last_value as n from refused";
        (shop.count(refused).await > 3).then_some(())
    })
    .await;
    assert_eq!(shop.unsent().await, 49);
    assert!(process.health.is_ready(), "what reads goes on");
    shop.execute("drop trigger refuse_mark on outbox").await;
    shop.until_all_sent().await;
    assert_eq!((seen.len(), shop.sent_to_topic()), (49, 49));
}

/// The time-out is short, so that sends fail and not only wait. Seen red with rows marked before they were sent.
#[tokio::test]
async fn orders_go_on_without_a_broker_and_the_backlog_drains_in_order() {
    let mut broker = testkit::OwnKafka::start().await;
    broker.create_topic("events", 2).await;
    let shop = Shop::with_topic(broker.brokers(), "events".to_owned()).await;
    let config = relay::Config {
        send_timeout: Duration::from_millis(300),
        ..relay::Config::default()
    };
    let process = shop.process_with(config);
    let first = changes(1..20, 1);
    shop.commit(&first).await;
    process.relay.wake();
    let mut seen = shop.until_seen(&first).await;
    shop.until_all_sent().await;

    broker.kill().await;
    let mut events = Vec::new();
    for order in 1..200 {
        let change = change(order, if order < 20 { 2 } else { 1 });
        shop.commit(std::slice::from_ref(&change)).await;
        process.relay.wake();
        events.push(change);
    }
    broker.restart().await;
    seen.extend(shop.until_seen(&events).await);
    assert_in_order(&seen);
    shop.until_all_sent().await;
}

#[tokio::test]
async fn a_relay_that_starts_without_broker_and_topic_creates_the_topic_when_it_can() {
    let mut broker = testkit::OwnKafka::start().await;
    let shop = Shop::with_topic(broker.brokers(), "not-there-yet".to_owned()).await;
    broker.kill().await;
    let _process = shop.process();
    let events = changes(1..20, 2);
    shop.commit(&events).await;
    broker.restart().await;
    shop.until_all_sent().await;
    // A reader made now, since the topic was not there when the shop opened.
    let shop = Shop {
        topic: read(&shop.kafka),
        ..shop
    };
    assert_in_order(&shop.until_seen(&events).await);
}

/// Offsets that clients hold are worthless in a topic that was replaced. Seen red with the check left out.
#[tokio::test]
async fn a_replaced_topic_begins_another_epoch_and_the_same_topic_does_not() {
    let mut shop = Shop::open().await;
    let epoch = async |shop: &Shop, event| {
        let process = shop.process();
        shop.commit(std::slice::from_ref(&event)).await;
        let seen = shop.until_seen(&[event]).await;
        shop.until_all_sent().await;
        process.tasks.shutdown(crate::shop::LIMIT).await;
        seen.last().unwrap().epoch.clone()
    };
    let first = epoch(&shop, change(1, 1)).await;
    assert_eq!(epoch(&shop, change(1, 2)).await, first);
    shop.kafka.topic = testkit::topic(2).await;
    shop.topic = read(&shop.kafka);
    let second = epoch(&shop, change(1, 3)).await;
    assert!(second > first, "{second} sorts after {first}");
    assert_eq!(epoch(&shop, change(1, 4)).await, second);
}
