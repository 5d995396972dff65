//! What a sink took long ago leaves with its inbox row; what is young, or still of use, stays.

use std::time::Duration;

use chassis::clock::Clock;
use notifier::forget;
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};

use crate::replica::{Stage, change};

const DAY: Duration = Duration::from_hours(24);

/// A stage with an effect of each of orders 1 to `orders`, in this order of ids, which a sink took just now.
async fn stage(orders: u32) -> Stage {
    let stage = Stage::new().await;
    let fill = format!(
        r#"with event as (
               select number, gen_random_uuid() as id from generate_series(1, {orders}) as number
           ),
           received as (
               insert into inbox (event_id, order_id, version, partition, "offset")
               select id, number, 1, 0, number from event
           )
           insert into deliveries (event_id, order_id, user_id, version, status, moment, delivered_at)
           select id, number, 5, 1, 'paid', now(), now() from event order by number"#
    );
    stage.execute(&fill).await;
    stage
}

/// Makes the effects of these orders 31 days older.
async fn age(stage: &Stage, orders: &str) {
    let sql = format!(
        "update deliveries set created_at = created_at - interval '31 days',
                               delivered_at = delivered_at - interval '31 days' where {orders}"
    );
    stage.execute(&sql).await;
}

/// Forgets everything that is 30 days old, page by page; how many effects.
async fn forget_all(stage: &Stage, page: u32) -> u64 {
    let before = Clock::system().now() - 30 * DAY;
    let (mut forgotten, mut after) = (0, Some(0));
    while let Some(from) = after {
        let done = forget(&stage.database.db, before, from, page)
            .await
            .unwrap();
        forgotten += done.removed;
        after = done.next;
    }
    forgotten
}

/// What stays stands between what leaves, in pages of two.
#[tokio::test]
async fn old_effects_leave_with_their_inbox_rows_and_all_that_is_of_use_stays() {
    let stage = stage(6).await;
    age(&stage, "order_id <= 5").await;
    stage
        .execute(
            r#"update deliveries set delivered_at = null where order_id = 2;
               insert into webhook_queue (event_id, order_id, version)
               select event_id, order_id, version from deliveries where order_id = 3;
               insert into dead_letters (topic, partition, "offset", reason, refused_event)
               select 'a topic', 0, 3, 'refused', event_id from deliveries where order_id = 4"#,
        )
        .await;
    assert_eq!(forget_all(&stage, 2).await, 2);
    let both = "deliveries join inbox using (event_id) where deliveries.order_id in (2, 3, 4, 6)";
    assert_eq!(stage.count(both).await, 4);
    assert_eq!(stage.count("deliveries").await, 4);
    assert_eq!(stage.count("inbox").await, 4);

    stage
        .execute(
            "delete from webhook_queue; delete from dead_letters;
             update deliveries set delivered_at = now() where delivered_at is null",
        )
        .await;
    assert_eq!(forget_all(&stage, 2).await, 2, "order 2 was taken just now");
    assert_eq!(stage.count("inbox where order_id in (2, 6)").await, 2);
    assert_eq!(stage.count("inbox").await, 2);
}

/// An operator replays a refused delivery in the moment in which its effect could leave.
#[tokio::test]
async fn an_effect_whose_event_is_queued_again_meanwhile_stays() {
    let stage = stage(2).await;
    age(&stage, "true").await;
    stage
        .execute(
            r#"insert into dead_letters (topic, partition, "offset", reason, refused_event)
               select 'a topic', 0, 1, 'refused', event_id from deliveries where order_id = 1"#,
        )
        .await;
    let replay = stage.database.db.begin().await.unwrap();
    replay
        .execute_unprepared(
            "insert into webhook_queue (event_id, order_id, version)
             select event_id, order_id, version from deliveries where order_id = 1;
             delete from dead_letters",
        )
        .await
        .unwrap();
    assert_eq!(forget_all(&stage, 100).await, 1);
    replay.commit().await.unwrap();
    assert_eq!(forget_all(&stage, 100).await, 0);
    assert_eq!(stage.count("inbox where order_id = 1").await, 1);
}

#[tokio::test]
async fn the_service_forgets_more_than_a_page_and_with_a_retention_of_zero_nothing() {
    let mut stage = stage(2_100).await;
    age(&stage, "true").await;
    stage.retention = Duration::ZERO;
    let replica = stage.replica().await;
    // By the time that it has taken an event, a first round would have begun.
    stage.write(&change(1, 2)).await;
    stage.taken(1).await;
    replica.stop().await;
    assert_eq!(stage.count("deliveries").await, 2_101);

    stage.retention = 30 * DAY;
    let replica = stage.replica().await;
    stage.until_count("deliveries", 1).await;
    stage.until_count("inbox", 1).await;
    replica.stop().await;
}
