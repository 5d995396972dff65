//! Topics that are weaker than the settings ask, against a real broker, of which there is one.

use chassis::kafka::{self, TopicError, ensure_topic, topic};

async fn asked(replication_factor: i32, min_insync_replicas: i32) -> kafka::Config {
    kafka::Config {
        brokers: testkit::kafka().await.to_owned(),
        topic: testkit::topic(2).await,
        replication_factor,
        min_insync_replicas,
        ..kafka::Config::default()
    }
}

/// A code of librdkafka's would say neither which setting nor what to do.
#[tokio::test]
async fn more_copies_than_brokers_are_refused_with_the_setting_and_the_number() {
    let config = kafka::Config {
        topic: testkit::unique("too-many"),
        ..asked(3, 2).await
    };
    let refused = ensure_topic(&config).await.unwrap_err();
    assert!(
        matches!(
            refused,
            TopicError::TooFewBrokers {
                asked: 3,
                brokers: 1,
                ..
            }
        ),
        "{refused:?}"
    );
    for part in ["kafka.replication_factor", &config.topic, "1 broker:"] {
        assert!(refused.to_string().contains(part), "{refused}");
    }
}

#[tokio::test]
async fn a_topic_that_is_weaker_than_asked_is_named_with_the_commands_that_mend_it() {
    assert_eq!(topic::weakness(&asked(1, 1).await).await.unwrap(), None);
    let config = asked(1, 2).await;
    let weak = topic::weakness(&config).await.unwrap().unwrap().told();
    let command = format!(
        "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {} \
         --add-config min.insync.replicas=2",
        config.brokers, config.topic
    );
    assert!(weak.contains(&command), "{weak}");
    assert!(!weak.contains("kafka.replication_factor"), "{weak}");
    let weak = topic::weakness(&asked(3, 1).await).await.unwrap().unwrap();
    let told = weak.told();
    assert!(told.contains("has 1 of 3 copies"), "{told}");
    assert!(told.contains("1 of 3 are there"), "{told}");
}

#[tokio::test]
async fn a_topic_that_is_made_asks_for_as_many_acknowledgements_as_the_settings() {
    let config = kafka::Config {
        topic: testkit::unique("made"),
        ..asked(1, 2).await
    };
    ensure_topic(&config).await.unwrap();
    ensure_topic(&config).await.unwrap();
    assert_eq!(topic::weakness(&config).await.unwrap(), None);
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_no_weak_one() {
    let config = kafka::Config {
        topic: testkit::unique("absent"),
        ..asked(3, 2).await
    };
    topic::weakness(&config).await.unwrap_err();
}
