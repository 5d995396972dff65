//! The broker comes late, or is killed: readers wait and go on.

use chassis::kafka;
use order_stream::Scope;
use rdkafka::admin::{AdminOptions, NewPartitions};

use crate::topic::{LIMIT, Topic, next_event};

#[tokio::test]
async fn a_reader_outlives_the_broker_and_health_says_so() {
    let mut broker = testkit::OwnKafka::start().await;
    broker.create_topic("events", 2).await;
    let topic = Topic::at(broker.brokers(), "events".to_owned());
    let process = topic.process(1 << 20);
    let mut reader = process.from(Scope::ALL, &process.end().await);
    topic.write(1, 1).await;
    assert_eq!(next_event(&mut reader).await.0, (1, 1));

    broker.kill().await;
    testkit::eventually("health notices", LIMIT, async || {
        (!process.health.missing().is_empty()).then_some(())
    })
    .await;
    assert!(
        process.health.is_ready(),
        "queries go on without the broker"
    );
    assert!(process.stream.end_cursor().await.is_err());

    broker.restart().await;
    testkit::eventually("health recovers", LIMIT, async || {
        process.health.missing().is_empty().then_some(())
    })
    .await;
    topic.write(1, 2).await;
    assert_eq!(next_event(&mut reader).await.0, (1, 2));
    assert_eq!(process.tasks.shutdown(LIMIT).await, Vec::<&str>::new());
    assert!(reader.next().await.is_err());
}

/// Fails with readiness held back until the stream was up once.
#[tokio::test]
async fn a_stream_that_starts_without_a_broker_begins_when_it_comes() {
    let mut broker = testkit::OwnKafka::start().await;
    broker.create_topic("events", 2).await;
    let topic = Topic::at(broker.brokers(), "events".to_owned());
    let end = topic.process(1 << 20).end().await;
    broker.kill().await;
    let process = topic.process(1 << 20);
    let mut reader = process.stream.reader(Scope::ALL, end);
    assert!(process.stream.end_cursor().await.is_err());
    testkit::eventually("queries go on without streams", LIMIT, async || {
        process.health.is_ready().then_some(())
    })
    .await;
    assert!(!process.health.missing().is_empty(), "and health says so");
    let (first, ()) = tokio::join!(next_event(&mut reader), async {
        broker.restart().await;
        process.end().await;
        // The reader began at the end of the topic, so this is news to it.
        topic.write(1, 1).await;
    });
    assert_eq!(first.0, (1, 1));
}

#[tokio::test]
async fn events_of_a_partition_that_was_added_reach_readers_that_were_there() {
    let topic = Topic::new(1).await;
    topic.write(1, 1).await;
    let process = topic.process(1 << 20);
    let mut reader = process.from(Scope::ALL, &process.end().await);
    let grow = NewPartitions::new(&topic.kafka.topic, 3);
    let admin = kafka::admin(&topic.kafka).unwrap();
    let grown = admin
        .create_partitions([&grow], &AdminOptions::new())
        .await
        .unwrap();
    assert!(grown.iter().all(Result::is_ok));
    // A new producer knows the new partitions.
    let topic = Topic::at(&topic.kafka.brokers, topic.kafka.topic.clone());
    let mut partitions = Vec::new();
    for order in 2..12 {
        partitions.push(topic.write(order, 1).await.0);
        next_event(&mut reader).await;
    }
    assert!(partitions.contains(&1) && partitions.contains(&2));
}
