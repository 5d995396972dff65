//! What was parked can be handled again, once.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use chassis::clock::Clock;
use notifier::{Config, DeadLetters, ReplayError, Replayed};
use rdkafka::message::OwnedHeaders;

use crate::replica::{Stage, change};

async fn letters(stage: &Stage) -> DeadLetters {
    let config = Config {
        database: stage.database.name.clone(),
        webhook: stage.webhook.clone(),
        ..Config::default()
    };
    DeadLetters::open(&stage.database.config(), &config, Clock::system())
        .await
        .unwrap()
}

/// An event that the database refused until its rule was mended.
async fn parked(stage: &Stage) -> i64 {
    stage
        .execute("alter table deliveries add constraint broken check (version <> 2)")
        .await;
    let replica = stage.replica().await;
    for version in 1..=3 {
        stage.write(&change(1, version)).await;
    }
    stage.until_count("dead_letters", 1).await;
    stage.taken(2).await;
    replica.stop().await;
    let parked = letters(stage).await.list(0, 10).await.unwrap();
    assert_eq!(parked.len(), 1);
    parked[0].id
}

#[tokio::test]
async fn a_replay_handles_the_message_once_and_one_that_fails_changes_nothing() {
    let stage = Stage::new().await;
    let id = parked(&stage).await;
    let letters = letters(&stage).await;
    // As broken as before.
    let failed = letters.replay(id, &*stage.sink, false).await;
    assert!(matches!(failed, Err(ReplayError::Store(_))), "{failed:?}");
    stage
        .execute("alter table deliveries drop constraint broken")
        .await;
    // A dry run says what would happen.
    let dry = letters.replay(id, &*stage.sink, true).await.unwrap();
    assert_eq!(dry, Replayed::Handled);
    // The sink refuses.
    stage.sink.refuses.store(true, Ordering::Release);
    let refused = letters.replay(id, &*stage.sink, false).await;
    assert!(matches!(refused, Err(ReplayError::Sink(_))), "{refused:?}");
    assert_eq!(stage.count("dead_letters").await, 1);
    assert_eq!(stage.count("deliveries").await, 2);
    stage.sink.refuses.store(false, Ordering::Release);
    // Two at once: one handles it, the other finds nothing.
    let (one, other) = tokio::join!(
        letters.replay(id, &*stage.sink, false),
        letters.replay(id, &*stage.sink, false)
    );
    let outcomes = [one, other];
    let handled = outcomes
        .iter()
        .filter(|it| matches!(it, Ok(Replayed::Handled)));
    assert_eq!(handled.count(), 1, "{outcomes:?}");
    let missing = outcomes
        .iter()
        .filter(|it| matches!(it, Err(ReplayError::Missing(_))));
    assert_eq!(missing.count(), 1, "{outcomes:?}");
    assert_eq!(stage.taken(3).await.len(), 3);
    assert_eq!(stage.count("dead_letters").await, 0);
    assert_eq!(
        stage
            .count("deliveries where delivered_at is not null")
            .await,
        3
    );
}

#[tokio::test]
async fn what_is_no_event_stays_parked_and_a_number_that_is_not_there_is_told() {
    let stage = Stage::new().await;
    let replica = stage.replica().await;
    stage.send("1", b"nothing", OwnedHeaders::new()).await;
    stage.until_count("dead_letters", 1).await;
    replica.stop().await;
    let letters = letters(&stage).await;
    let id = letters.list(0, 1).await.unwrap()[0].id;
    let still = letters.replay(id, &*stage.sink, false).await;
    assert!(matches!(still, Err(ReplayError::Decode(_))), "{still:?}");
    assert_eq!(letters.show(id).await.unwrap().value.unwrap(), "nothing");
    let missing = letters
        .replay(id + 1, &*stage.sink, false)
        .await
        .unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!("there is no dead letter {}", id + 1)
    );
}

/// The contract for poison: it is parked, and what is behind it is handled, within two seconds.
#[tokio::test]
async fn poison_in_the_middle_of_a_full_batch_holds_up_those_behind_it_for_less_than_two_seconds() {
    let stage = Stage::new().await;
    let replica = stage.replica().await;
    stage.write(&change(1, 1)).await;
    stage.taken(1).await;
    let mut hostile = change(1, 2);
    hostile.traceparent = Some("00-\0-01".to_owned());
    let started = Instant::now();
    let before = (2..=120)
        .map(|version| change(1, version))
        .collect::<Vec<_>>();
    let behind = (121..=240)
        .map(|version| change(1, version))
        .collect::<Vec<_>>();
    for event in before.iter().chain([&hostile]).chain(&behind) {
        stage.write(event).await;
    }
    stage.send("1", b"no event", OwnedHeaders::new()).await;
    let written = Instant::now();
    stage.taken(240).await;
    stage.until_count("dead_letters", 2).await;
    let waited = written.elapsed();
    eprintln!(
        "240 events and 2 poisons: written in {:?}, handled {waited:?} later",
        written - started
    );
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    replica.stop().await;
}
