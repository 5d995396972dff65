//! The broker comes late, or is killed: readers wait and go on.

use order_stream::Scope;

use crate::topic::{LIMIT, Topic, next_event};

#[tokio::test]
async fn a_reader_outlives_the_broker_and_health_says_so() {
    let mut broker = testkit::OwnKafka::start().await;
    broker.create_topic("events", 2).await;
    let topic = Topic::at(broker.brokers(), "events".to_owned());
    let process = topic.process(1 << 20);
    let mut reader = process.from(Scope::All, &process.end().await);
    topic.write(1, 1).await;
    assert_eq!(next_event(&mut reader).await.0, (1, 1));

    broker.kill().await;
    testkit::eventually("health notices", LIMIT, async || {
        (!process.health.is_ready()).then_some(())
    })
    .await;
    assert!(process.stream.end_cursor().await.is_err());

    broker.restart().await;
    testkit::eventually("health recovers", LIMIT, async || {
        process.health.is_ready().then_some(())
    })
    .await;
    topic.write(1, 2).await;
    assert_eq!(next_event(&mut reader).await.0, (1, 2));
    assert_eq!(process.tasks.shutdown(LIMIT).await, Vec::<&str>::new());
    assert!(reader.next().await.is_err());
}
