//! A message that cannot be handled is parked, and the partition goes on.

use rdkafka::message::{Header, OwnedHeaders};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use crate::replica::{Stage, change};

/// Seen red with the error of `decode` treated as a failed batch: the partition stood still.
#[tokio::test]
async fn a_message_that_is_no_order_event_is_parked_whole_and_the_partition_goes_on() {
    let stage = Stage::new().await;
    let replica = stage.replica().await;
    let headers = OwnedHeaders::new().insert(Header {
        key: "origin",
        value: Some("elsewhere"),
    });
    stage.write(&change(1, 1)).await;
    let (partition, offset) = stage.send("1", b"{\"not\":\"ours\"}", headers).await;
    stage.write(&change(1, 2)).await;
    stage.taken(2).await;
    stage.until_count("dead_letters", 1).await;
    let sql = r#"select partition, "offset", convert_from(value, 'utf8') as value,
                        headers->0->>'value' as origin, reason from dead_letters"#;
    let row = stage
        .database
        .db
        .query_one_raw(Statement::from_string(DbBackend::Postgres, sql));
    let row = row.await.unwrap().unwrap();
    assert_eq!(row.try_get::<i32>("", "partition").unwrap(), partition);
    assert_eq!(row.try_get::<i64>("", "offset").unwrap(), offset);
    assert_eq!(
        row.try_get::<String>("", "value").unwrap(),
        "{\"not\":\"ours\"}"
    );
    assert_eq!(row.try_get::<String>("", "origin").unwrap(), "elsewhere");
    assert!(
        row.try_get::<String>("", "reason")
            .unwrap()
            .starts_with("value:")
    );
    replica.stop().await;
}

/// Postgres takes no NUL in a text, so the statement itself fails: only the one message may pay for it.
#[tokio::test]
async fn an_event_that_the_database_refuses_is_parked_and_its_batch_is_not() {
    let stage = Stage::new().await;
    let mut hostile = change(2, 1);
    hostile.traceparent = Some("00-\0-01".to_owned());
    for version in 1..=5 {
        stage.write(&change(1, version)).await;
        stage.write(&change(2, version + 1)).await;
    }
    stage.write(&hostile).await;
    stage.write(&change(1, 6)).await;
    let replica = stage.replica().await;
    stage.taken(11).await;
    stage.until_count("dead_letters", 1).await;
    assert_eq!(stage.count("deliveries").await, 11);
    replica.stop().await;
}
