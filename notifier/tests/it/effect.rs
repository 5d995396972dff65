//! Each event has one effect, however often and to whomever it is delivered.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use crate::replica::{LIMIT, Stage, change};

#[tokio::test]
async fn events_reach_the_sink_from_the_oldest_on_and_in_version_order() {
    let stage = Stage::new().await;
    let mut written = Vec::new();
    for version in 1..=10 {
        for order in 1..=4 {
            let event = change(order, version);
            stage.write(&event).await;
            written.push(event);
        }
    }
    let replica = stage.replica().await;
    let taken = stage.taken(written.len()).await;
    assert_eq!(taken.len(), written.len());
    let mut last = BTreeMap::new();
    for event in &taken {
        let before = last.insert(event.order_id, event.version).unwrap_or(0);
        assert_eq!(event.version, before + 1);
    }
    replica.stop().await;
    assert_eq!(
        stage
            .count("deliveries where delivered_at is not null")
            .await,
        40
    );
}

/// Seen red with effects for known inbox rows too: the second copy broke the effects' own rule and was parked.
#[tokio::test]
async fn a_redelivered_event_has_one_effect() {
    let stage = Stage::new().await;
    let replica = stage.replica().await;
    let event = change(1, 1);
    stage.write(&event).await;
    stage.write(&event).await;
    stage.taken(1).await;
    stage.write(&event).await;
    stage.write(&change(1, 2)).await;
    let taken = stage.taken(2).await;
    assert_eq!(
        taken.iter().map(|event| event.version).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(stage.count("inbox").await, 2);
    assert_eq!(stage.count("deliveries").await, 2);
    assert_eq!(
        stage.count("dead_letters").await,
        0,
        "a repeat is no poison"
    );
    replica.stop().await;
}

#[tokio::test]
async fn a_restarted_notifier_goes_on_where_it_was() {
    let stage = Stage::new().await;
    let first = stage.replica().await;
    stage.write(&change(1, 1)).await;
    stage.taken(1).await;
    first.stop().await;
    stage.write(&change(1, 2)).await;
    let second = stage.replica().await;
    let taken = stage.taken(2).await;
    assert_eq!(
        taken.iter().map(|event| event.version).collect::<Vec<_>>(),
        [1, 2]
    );
    second.stop().await;
}

/// The effect is written, the sink refuses, the process ends: the offset must not have moved.
/// Seen red with a sink's refusal taken for done: the offset moved past it.
#[tokio::test]
async fn what_no_sink_took_is_offered_again_after_a_restart() {
    let stage = Stage::new().await;
    stage.sink.refuses.store(true, Ordering::Release);
    let first = stage.replica().await;
    stage.write(&change(1, 1)).await;
    stage.until_count("deliveries", 1).await;
    testkit::eventually("health tells", LIMIT, async || {
        (!first.health.is_ready()).then_some(())
    })
    .await;
    first.stop().await;
    stage.sink.refuses.store(false, Ordering::Release);
    let second = stage.replica().await;
    stage.taken(1).await;
    stage
        .until_count("deliveries where delivered_at is not null", 1)
        .await;
    assert_eq!(stage.count("deliveries").await, 1);
    second.stop().await;
}

#[tokio::test]
async fn three_replicas_that_come_and_go_make_one_effect_an_event() {
    let stage = Stage::new().await;
    let first = stage.replica().await;
    let second = stage.replica().await;
    let mut total = 0;
    for version in 1..=30 {
        for order in 1..=10 {
            stage.write(&change(order, version)).await;
            total += 1;
        }
        if version == 15 {
            stage.taken(50).await;
        }
    }
    let third = stage.replica().await;
    first.stop().await;
    stage
        .until_count("deliveries where delivered_at is not null", total)
        .await;
    second.stop().await;
    stage.write(&change(1, 31)).await;
    stage
        .until_count("deliveries where delivered_at is not null", total + 1)
        .await;
    assert_eq!(stage.count("inbox").await, total + 1);
    third.stop().await;
}
