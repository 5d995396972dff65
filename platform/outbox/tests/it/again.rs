//! Events that the topic has lost are sent again, wherever they are kept by now.

use crate::shop::{Shop, assert_in_order, changes};

/// Two of the four events of each order have left the outbox.
#[tokio::test]
async fn what_the_outbox_and_the_history_have_is_sent_again_in_order() {
    let shop = Shop::open().await;
    let events = changes(1..10, 4);
    shop.execute(
        "insert into orders select id, 5, 'paid', 4, now() from generate_series(1, 9) as id;
         insert into order_lines select id, 0, 7, 1 from generate_series(1, 9) as id",
    )
    .await;
    shop.commit(&events).await;
    shop.execute("update outbox set sent_at = now()").await;
    shop.execute(
        "with gone as (delete from outbox where version < 3 returning *)
         insert into order_history select order_id, version, event_id, status, moment from gone",
    )
    .await;
    let ids: Vec<_> = events.iter().map(|event| event.event_id).collect();
    let again = outbox::send_again(&shop.database.db, &ids).await.unwrap();
    assert_eq!(again, 36);
    let _process = shop.process();
    let seen = shop.until_seen(&events).await;
    assert_eq!(seen.len(), events.len());
    assert_in_order(&seen);
    for (of, was) in seen.iter().map(|seen| {
        let of = &seen.event;
        let was = events.iter().find(|event| event.event_id == of.event_id);
        (of, was.unwrap())
    }) {
        assert_eq!(
            (of.user_id, of.version, of.status),
            (was.user_id, was.version, was.status)
        );
        assert_eq!(of.moment, was.moment);
    }
    shop.until_all_sent().await;
    let unknown = [uuid::Uuid::new_v4()];
    let again = outbox::send_again(&shop.database.db, &unknown).await;
    assert_eq!(again.unwrap(), 0);
}
