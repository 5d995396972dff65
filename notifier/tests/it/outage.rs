//! The database goes away and comes back: the notifier waits, and nothing is lost.

use crate::replica::{LIMIT, Stage, change};

/// The table is renamed away: statements fail, and not because of the data.
#[tokio::test]
async fn while_the_database_fails_messages_stay_in_the_topic() {
    let stage = Stage::new().await;
    let replica = stage.replica().await;
    stage.write(&change(1, 1)).await;
    stage.taken(1).await;
    stage
        .execute("alter table inbox rename to inbox_away")
        .await;
    for version in 2..=20 {
        stage.write(&change(1, version)).await;
    }
    testkit::eventually("health tells", LIMIT, async || {
        (!replica.health.is_ready()).then_some(())
    })
    .await;
    stage
        .execute("alter table inbox_away rename to inbox")
        .await;
    let taken = stage.taken(20).await;
    assert_eq!(
        taken.iter().map(|event| event.version).collect::<Vec<_>>(),
        (1..=20).collect::<Vec<_>>()
    );
    testkit::eventually("health recovers", LIMIT, async || {
        replica.health.is_ready().then_some(())
    })
    .await;
    assert_eq!(stage.count("dead_letters").await, 0);
    replica.stop().await;
}
