//! One sender a shard, whoever dies.

use std::{
    io::Write as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use chassis::{clock::Clock, health::Health, kafka, postgres, tasks::Tasks};
use outbox::{Relay, relay};
use sqlx::postgres::PgListener;
use testkit::FreezingProxy;

use crate::shop::{Shop, assert_in_order, change, changes};

/// Ends the database session of the sender, as the death of its process does.
const KILL_SENDER: &str = "select pg_terminate_backend(pid) from pg_locks \
    where locktype = 'advisory' and granted \
    and database = (select oid from pg_database where datname = current_database())";

/// Whose session sends; 0 when there is none. Of the relays of other topics it may be another one, so the order events' lock.
const SENDER: &str = "select coalesce(max(pid), 0)::bigint as n from pg_locks \
    where locktype = 'advisory' and granted and classid = 1869968482::oid \
    and database = (select oid from pg_database where datname = current_database())";

/// For how many seconds the oldest unsent event has waited.
const AGE: &str = "select coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::bigint as n \
    from outbox where sent_at is null";

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
    assert_takeover(killed, "the sender's session was ended");
}

fn assert_takeover(killed: Instant, how: &str) {
    let took = killed.elapsed();
    let told = format!("{how}: the other relay's first event came {took:?} later\n");
    std::io::stderr()
        .write_all(told.as_bytes())
        .expect("stderr is there");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// As when the sender's process is stopped: its session stays, and the lock with it.
#[tokio::test]
async fn another_relay_ends_a_sender_that_stands_still() {
    let shop = Shop::open().await;
    let mut url = url::Url::parse(&shop.database.url).unwrap();
    let proxy = FreezingProxy::start(url.socket_addrs(|| None).unwrap()[0]).await;
    url.set_ip_host(proxy.address.ip()).unwrap();
    url.set_port(Some(proxy.address.port())).unwrap();
    let postgres = postgres::Config {
        url: url.to_string().into(),
        ..postgres::Config::default()
    };
    let db = postgres::connect(&postgres, &shop.database.name).await;
    let (tasks, health) = (Tasks::new(), Health::new());
    let (kafka, clock) = (shop.kafka.clone(), Clock::system());
    let config = relay::Config::default();
    let _frozen = Relay::start(config, db.unwrap(), kafka, &[], clock, &tasks, &health);
    shop.commit(&[change(1, 1)]).await;
    shop.next().await;
    shop.until_all_sent().await;
    proxy.freeze();
    let _other = shop.process_with(relay::Config {
        stalled_after: Duration::from_millis(300),
        ..relay::Config::default()
    });
    shop.commit(&[change(1, 2)]).await;
    assert_eq!(shop.next().await.event.version, 2);
    shop.until_all_sent().await;
    tasks.token().cancel();
}

/// The promise of docs/operations/machines.md, of the settings as they come.
#[test]
fn a_sender_that_stands_still_is_replaced_within_ten_seconds() {
    let config = relay::Config::default();
    // Waiting relays look once in an interval, and then ask for the lock.
    let longest = config.stalled_after + 2 * config.takeover_interval;
    assert!(longest < Duration::from_secs(10), "{longest:?}");
}

/// One that waits for an acknowledgement uses its session meanwhile. Seen red with one that asks for nothing until it has it.
#[tokio::test]
async fn a_sender_that_waits_for_an_acknowledgement_is_left_alone() {
    let mut broker = testkit::OwnKafka::start().await;
    broker.create_topic("events", 2).await;
    let shop = Shop::with_topic(broker.brokers(), "events".to_owned()).await;
    let config = relay::Config {
        stalled_after: Duration::from_secs(1),
        send_timeout: Duration::from_secs(60),
        ..relay::Config::default()
    };
    let sender = shop.process_with(config.clone());
    shop.commit(&[change(1, 1)]).await;
    sender.relay.wake();
    shop.next().await;
    shop.until_all_sent().await;
    let first = shop.count(SENDER).await;
    broker.kill().await;
    shop.commit(&[change(1, 2)]).await;
    sender.relay.wake();
    let _other = shop.process_with(config);
    testkit::eventually("the event is old", crate::shop::LIMIT, async || {
        (shop.count(AGE).await > 4).then_some(())
    })
    .await;
    assert_eq!(shop.count(SENDER).await, first);
    broker.restart().await;
    assert_eq!(shop.next().await.event.version, 2);
    shop.until_all_sent().await;
}

/// A sender whose broker is away works, however long the events wait.
#[tokio::test]
async fn a_sender_that_waits_for_its_broker_is_left_alone() {
    let shop = Shop::with_topic("127.0.0.1:1", testkit::unique("no-broker")).await;
    let config = relay::Config {
        stalled_after: Duration::from_secs(8),
        send_timeout: Duration::from_millis(500),
        ..relay::Config::default()
    };
    let _sender = shop.process_with(config.clone());
    shop.commit(&[change(1, 1)]).await;
    let first = testkit::eventually("one sends", crate::shop::LIMIT, async || {
        let pid = shop.count(SENDER).await;
        (pid > 0).then_some(pid)
    })
    .await;
    let _other = shop.process_with(config);
    testkit::eventually("the event is old", crate::shop::LIMIT, async || {
        (shop.count(AGE).await > 10).then_some(())
    })
    .await;
    assert_eq!(shop.count(SENDER).await, first);
}

/// The sender is a process of its own, and the death is `kill -9`: nobody says goodbye to the database.
#[tokio::test]
async fn another_relay_takes_over_within_two_seconds_when_the_senders_process_is_killed() {
    let shop = Shop::open().await;
    let mut sender = sender(&shop);
    shop.commit(&[change(1, 1)]).await;
    shop.next().await;
    shop.until_all_sent().await;
    let _other = shop.process();
    testkit::eventually("the other one waits", crate::shop::LIMIT, async || {
        (shop.listeners().await >= 2).then_some(())
    })
    .await;
    sender.kill().unwrap();
    let killed = Instant::now();
    sender.wait().unwrap();
    shop.commit(&[change(1, 2)]).await;
    assert_eq!(shop.next().await.event.version, 2);
    assert_takeover(killed, "the sender's process was killed with -9");
}

/// A process that runs [`a_relay_in_a_process_of_its_own`] on the shop's database and topic.
fn sender(shop: &Shop) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "leader::a_relay_in_a_process_of_its_own",
            "--include-ignored",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (url, name) = (&shop.database.url, &shop.database.name);
    let (brokers, topic) = (&shop.kafka.brokers, &shop.kafka.topic);
    let told = format!("{url}\n{name}\n{brokers}\n{topic}\n");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(told.as_bytes())
        .unwrap();
    child
}

#[tokio::test]
#[ignore = "the test above runs it in a process that it kills"]
async fn a_relay_in_a_process_of_its_own() {
    let told = std::io::read_to_string(std::io::stdin()).unwrap();
    let [url, name, brokers, topic] = told.lines().collect::<Vec<_>>()[..] else {
        return;
    };
    let postgres = postgres::Config {
        url: url.to_owned().into(),
        ..postgres::Config::default()
    };
    let kafka = kafka::Config {
        brokers: brokers.to_owned(),
        topic: topic.to_owned(),
        ..kafka::Config::default()
    };
    let db = postgres::connect(&postgres, name).await.unwrap();
    let (config, tasks, health) = (relay::Config::default(), Tasks::new(), Health::new());
    let _relay = Relay::start(config, db, kafka, &[], Clock::system(), &tasks, &health);
    // Ends with the process, or when its parent is long gone.
    tokio::time::sleep(Duration::from_secs(120)).await;
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

/// Seen red with it passed on: 3,902 came in the second.
#[tokio::test]
async fn a_wake_from_another_process_is_not_passed_on() {
    let shop = Shop::open().await;
    let _sender = shop.process();
    shop.commit(&[change(1, 1)]).await;
    shop.next().await;
    let [other, _third] = [shop.process(), shop.process()];
    testkit::eventually("the others listen", crate::shop::LIMIT, async || {
        (shop.listeners().await >= 3).then_some(())
    })
    .await;
    let pool = shop.database.db.get_postgres_connection_pool();
    let mut listener = PgListener::connect_with(pool).await.unwrap();
    listener.listen("outbox").await.unwrap();
    other.relay.wake();
    let mut heard = 0;
    let listening = async {
        while listener.recv().await.is_ok() {
            heard += 1;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(1), listening).await;
    assert!(ended.is_err(), "the connection was lost");
    assert_eq!(heard, 1);
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
