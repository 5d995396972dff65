//! Topics beside that of the order events: the rows of a table of their own, sent by a sender of their own.

use rdkafka::message::{Headers as _, Message as _};
use schema::event::header;
use uuid::Uuid;

use crate::shop::{LIMIT, Shop, TOPIC, assert_in_order, changes, read};

impl Shop {
    /// Commits versions `1..=versions` of an entity of [`TOPIC`].
    async fn commit_things(&self, key: &str, versions: i32) {
        for version in 1..=versions {
            self.execute(&format!(
                r#"insert into topic_outbox (topic, key, version, event_id, value)
                   values ('{TOPIC}', '{key}', {version}, '{}', '{{"n":{version}}}')"#,
                Uuid::now_v7()
            ))
            .await;
        }
    }

    async fn until_things_sent(&self) {
        let sql = "select count(*) as n from topic_outbox where sent_at is null";
        testkit::eventually("all things are marked as sent", LIMIT, async || {
            (self.count(sql).await == 0).then_some(())
        })
        .await;
    }
}

/// A message as it came: key, version, value, epoch.
type Seen = (String, u32, String, String);

async fn receive(topic: &rdkafka::consumer::StreamConsumer) -> Seen {
    let received = async {
        loop {
            if let Ok(message) = topic.recv().await {
                break message;
            }
        }
    };
    let message = tokio::time::timeout(LIMIT, received).await.unwrap();
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    let headers = message.headers().unwrap();
    let header = |name| text(headers.iter().find(|it| it.key == name).unwrap().value);
    assert!(header(header::EVENT_ID).parse::<Uuid>().is_ok());
    (
        text(message.key()),
        header(header::VERSION).parse().unwrap(),
        text(message.payload()),
        header(header::STREAM_EPOCH),
    )
}

/// Meant against a sender that has one topic for all rows.
#[tokio::test]
async fn a_topics_rows_go_to_that_topic_and_order_events_to_theirs() {
    let shop = Shop::open().await;
    let process = shop.process();
    let events = changes(1..4, 2);
    shop.commit(&events).await;
    shop.commit_things("a", 3).await;
    shop.commit_things("b", 2).await;
    process.relay.wake();
    shop.until_things_sent().await;
    assert_in_order(&shop.until_seen(&events).await);

    let things = read(&shop.kafka.beside(TOPIC));
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(receive(&things).await);
    }
    let of = |key: &str| {
        let of_key = seen.iter().filter(|(of, ..)| of == key);
        let all = of_key.map(|(_, version, value, _)| (*version, value.clone()));
        all.collect::<Vec<_>>()
    };
    let sent = |versions: u32| {
        let all = (1..=versions).map(|version| (version, format!(r#"{{"n":{version}}}"#)));
        all.collect::<Vec<_>>()
    };
    assert_eq!((of("a"), of("b")), (sent(3), sent(2)));
    let epochs = seen.iter().map(|(.., epoch)| epoch.as_str());
    let epochs: std::collections::BTreeSet<&str> = epochs.collect();
    assert_eq!(epochs.len(), 1);
    let sql = "select count(*) as n from topic_epoch, stream_epoch
               where topic_epoch.epoch <> stream_epoch.epoch";
    assert_eq!(
        shop.count(sql).await,
        1,
        "a cursor of one is none of the other"
    );
}

/// What is acknowledged is noted by topic: a new process goes on, and does not take the other topic's end for a loss.
#[tokio::test]
async fn another_process_goes_on_in_the_same_epoch() {
    let shop = Shop::open().await;
    let first = shop.process();
    shop.commit_things("a", 2).await;
    shop.commit(&changes(1..3, 1)).await;
    first.relay.wake();
    shop.until_things_sent().await;
    shop.until_all_sent().await;
    drop(first);
    let _second = shop.process();
    shop.commit_things("b", 1).await;
    shop.until_things_sent().await;
    let things = read(&shop.kafka.beside(TOPIC));
    let mut epochs = std::collections::BTreeSet::new();
    for _ in 0..3 {
        epochs.insert(receive(&things).await.3);
    }
    assert_eq!(epochs.len(), 1);
}
