//! Changes with a name: made once, answered alike. Source: docs/contracts.md leaves keys open; they are ours.

use chassis::{config::Secret, fault::Coded as _, postgres};
use futures::future::join_all;
use loms::{
    Access, Caller,
    order::{Error, Orders},
};
use schema::{code::ErrorCode, event::OrderStatus};
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use serde_json::json;

use crate::shop::{ORDER_TTL, SKU, Shop, keyed, lines, user};

/// Seen red with the claim of the key skipped.
#[tokio::test]
async fn a_repeat_with_the_same_key_makes_no_second_order() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let (caller, wanted) = (keyed(1, "k"), lines(&[(SKU, 3)]));
    let first = shop.orders.create(&caller, user(1), &wanted).await.unwrap();
    let second = shop.orders.create(&caller, user(1), &wanted).await.unwrap();
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(first.value, second.value);
    assert_eq!(shop.stock(SKU).await, (10, 3));
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_even_after_the_order_went_on() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let (caller, wanted) = (keyed(1, "k"), lines(&[(SKU, 3)]));
    let first = shop.orders.create(&caller, user(1), &wanted).await.unwrap();
    let id = first.value.order.unwrap().id;
    shop.orders.pay(&caller, id).await.unwrap();
    let second = shop.orders.create(&caller, user(1), &wanted).await.unwrap();
    assert_eq!(
        second.value.order.unwrap().status,
        OrderStatus::AwaitingPayment
    );
}

#[tokio::test]
async fn a_key_with_another_input_is_refused_and_changes_nothing() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let caller = keyed(1, "k");
    shop.orders
        .create(&caller, user(1), &lines(&[(SKU, 3)]))
        .await
        .unwrap();
    let other = shop
        .orders
        .create(&caller, user(1), &lines(&[(SKU, 4)]))
        .await;
    assert!(
        matches!(other, Err(Error::Idempotency(idempotency::Error::Reused))),
        "{other:?}"
    );
    assert_eq!(shop.stock(SKU).await, (10, 3));
}

#[tokio::test]
async fn a_key_belongs_to_its_user_and_its_operation() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let wanted = lines(&[(SKU, 1)]);
    let mine = shop
        .orders
        .create(&keyed(1, "k"), user(1), &wanted)
        .await
        .unwrap();
    let theirs = shop
        .orders
        .create(&keyed(2, "k"), user(2), &wanted)
        .await
        .unwrap();
    let paid = shop
        .orders
        .pay(&keyed(1, "k"), mine.value.order.unwrap().id)
        .await
        .unwrap();
    assert!(!mine.replayed && !theirs.replayed && !paid.replayed);
    assert_ne!(mine.value.order.unwrap().id, theirs.value.order.unwrap().id);
}

/// Seen red with a claim that overwrites the row it meets.
#[tokio::test(flavor = "multi_thread")]
async fn calls_with_the_same_key_that_meet_make_one_order_and_share_its_answer() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    shop.open_connections().await;
    let (caller, wanted) = (keyed(1, "k"), lines(&[(SKU, 1)]));
    let calls = join_all((0..6).map(|_| shop.orders.create(&caller, user(1), &wanted))).await;
    let calls: Vec<_> = calls.into_iter().map(Result::unwrap).collect();
    assert!(
        calls.iter().all(|call| call.value == calls[0].value),
        "{calls:?}"
    );
    assert_eq!(calls.iter().filter(|call| !call.replayed).count(), 1);
    assert_eq!(shop.stock(SKU).await, (10, 1));
}

/// What the graph calls `IDEMPOTENCY_KEY_IN_FLIGHT`. The first call's transaction is stood in for by its key alone.
#[tokio::test]
async fn a_call_that_waits_too_long_for_the_first_is_told_that_it_is_in_flight() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let first = shop.database.db.begin().await.unwrap();
    let claim = "insert into idempotency_keys (user_id, operation, key, fingerprint, created_at)
                 values (1, 'createOrder', 'k', repeat('0', 64), now())";
    first.execute_unprepared(claim).await.unwrap();

    let impatient = format!("{}?options=-c%20lock_timeout=100", shop.database.url);
    let config = postgres::Config {
        url: Secret::new(impatient),
        ..shop.database.config()
    };
    let db = postgres::connect(&config, &shop.database.name).await;
    let orders = Orders::new(db.unwrap(), shop.clock.clone(), None, ORDER_TTL);
    let (caller, wanted) = (keyed(1, "k"), lines(&[(SKU, 1)]));
    let second = orders.create(&caller, user(1), &wanted).await;
    let refused = second.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::IdempotencyKeyInFlight);
    first.rollback().await.unwrap();
    assert_eq!(shop.stock(SKU).await, (10, 0));
}

#[tokio::test]
async fn a_refusal_is_kept_like_any_answer() {
    let shop = Shop::with_stock(&[(SKU, 1)]).await;
    let (caller, wanted) = (keyed(1, "k"), lines(&[(SKU, 2)]));
    let first = shop.orders.create(&caller, user(1), &wanted).await.unwrap();
    assert!(first.value.refusal.is_some());
    shop.execute("update stocks set total = 100, baseline_total = 100", [])
        .await;
    let second = shop.orders.create(&caller, user(1), &wanted).await.unwrap();
    assert_eq!((second.replayed, second.value), (true, first.value));
}

/// A fault rolls everything back, the key too, so the retry runs afresh.
#[tokio::test]
async fn a_fault_keeps_nothing() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let (caller, wanted) = (keyed(1, "k"), lines(&[(SKU, 1)]));
    shop.execute("alter table outbox rename to outbox_away", [])
        .await;
    assert!(shop.orders.create(&caller, user(1), &wanted).await.is_err());
    shop.execute("alter table outbox_away rename to outbox", [])
        .await;
    assert_eq!(shop.stock(SKU).await, (10, 0));
    let retried = shop.orders.create(&caller, user(1), &wanted).await.unwrap();
    assert!(!retried.replayed);
}

#[tokio::test]
async fn the_graph_says_that_an_answer_is_a_repeat() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let create = "mutation($input: CreateOrderInput!) { createOrder(input: $input) {
        order { id status lines { count } } userErrors { code field } } }";
    let input = |count| json!({ "input": { "lines": [{ "sku": "1076963", "count": count }], "idempotencyKey": "k" } });
    let first = shop.ask(1, create, input(1)).await;
    assert_eq!(first["extensions"]["idempotency"], json!(null), "{first}");
    let second = shop.ask(1, create, input(1)).await;
    assert_eq!(
        second["extensions"]["idempotency"],
        json!({ "replayed": true }),
        "{second}"
    );
    assert_eq!(first["data"], second["data"]);
    let other = shop.ask(1, create, input(2)).await;
    assert_eq!(
        other["data"]["createOrder"]["userErrors"],
        json!([{ "code": "IDEMPOTENCY_KEY_REUSED", "field": ["input", "idempotencyKey"] }])
    );
}

#[tokio::test]
async fn keys_are_forgotten_after_their_time_in_batches() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    for key in ["a", "b", "c"] {
        shop.orders
            .create(&keyed(1, key), user(1), &lines(&[(SKU, 1)]))
            .await
            .unwrap();
    }
    let db = &shop.database.db;
    let now = shop.clock.now();
    assert_eq!(idempotency::delete_before(db, now, 10).await.unwrap(), 0);
    shop.clock.advance(idempotency::RETENTION);
    assert_eq!(
        idempotency::delete_before(db, shop.clock.now(), 2)
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        idempotency::delete_before(db, shop.clock.now(), 2)
            .await
            .unwrap(),
        1
    );
}

/// More than a statement takes, of a rate that a statement each ten minutes would not keep up with. Orders go on.
#[tokio::test]
async fn every_key_that_is_over_its_time_goes_however_many_there_are() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    shop.execute(
        "insert into idempotency_keys (user_id, operation, key, fingerprint, answer, created_at)
         select 1, 'createOrder', 'old ' || n, repeat('0', 64), '{}'::jsonb, now() - interval '31 days'
         from generate_series(1, 3500) as n
         union all select 1, 'createOrder', 'young', repeat('0', 64), '{}'::jsonb, now()",
        [],
    )
    .await;
    let tasks = chassis::tasks::Tasks::new();
    let clock = chassis::clock::Clock::system();
    idempotency::start_retention(shop.database.db.clone(), clock, &tasks);
    let left = async || {
        let sql = "select count(*) as n from idempotency_keys";
        let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sql);
        let row = sea_orm::ConnectionTrait::query_one_raw(&shop.database.db, statement).await;
        let left: i64 = row.unwrap().unwrap().try_get("", "n").unwrap();
        (left == 1).then_some(())
    };
    testkit::eventually("old keys go", std::time::Duration::from_secs(20), left).await;
    tasks.shutdown(std::time::Duration::from_secs(5)).await;
}

/// One rule for every mutation, whether the key came as the argument or as the header.
#[tokio::test]
async fn a_key_that_breaks_the_rule_is_a_user_error_of_every_mutation() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    shop.ordered(1, &[(SKU, 1)]).await;
    let mutations = [
        (
            "createOrder",
            "CreateOrderInput",
            json!({ "lines": [{ "sku": SKU.to_string(), "count": 1 }] }),
        ),
        ("payOrder", "PayOrderInput", json!({ "orderId": "1" })),
        ("cancelOrder", "CancelOrderInput", json!({ "orderId": "1" })),
        (
            "setStock",
            "SetStockInput",
            json!({ "sku": SKU.to_string(), "total": 20 }),
        ),
    ];
    for (mutation, input_type, input) in mutations {
        let query = format!(
            "mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ userErrors {{ code field message }} }} }}"
        );
        for key in ["", &"x".repeat(256), "a\0b"] {
            let mut with_key = input.clone();
            with_key["idempotencyKey"] = json!(key);
            let by_argument = shop.ask_ops(&query, json!({ "input": with_key })).await;
            let by_header = shop
                .ask_with_key(1, key, &query, json!({ "input": input }))
                .await;
            let refused = json!({ "data": { mutation: { "userErrors": [{
                "code": "INVALID_ARGUMENT",
                "field": ["input", "idempotencyKey"],
                "message": "an idempotency key must have 1 to 255 characters and no NUL",
            }] } } });
            assert_eq!(by_argument, refused, "{mutation} with {key:?}");
            assert_eq!(by_header, refused, "{mutation} with the header {key:?}");
        }
    }
    assert_eq!(shop.stock(SKU).await, (10, 1));
}

/// The clients of REST and gRPC act for nobody, so their keys count for one order each.
#[tokio::test]
async fn the_same_key_pays_two_orders_of_callers_that_act_for_nobody() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let orders = [
        shop.ordered(1, &[(SKU, 1)]).await,
        shop.ordered(2, &[(SKU, 1)]).await,
    ];
    let caller = Caller {
        key: Some("1".to_owned().try_into().unwrap()),
        ..Caller::plain(Access::Everybody)
    };
    for replayed in [false, true] {
        for order in &orders {
            let paid = shop.orders.pay(&caller, order.id).await.unwrap();
            assert_eq!((paid.replayed, paid.value.refusal), (replayed, None));
        }
    }
    assert_eq!(shop.stock(SKU).await, (8, 0));
}

/// What a release before stored, under the operation alone, still answers, and refuses no other order's payment.
#[tokio::test]
async fn a_key_that_was_stored_without_its_order_still_answers() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let (old, new) = (
        shop.ordered(1, &[(SKU, 1)]).await,
        shop.ordered(2, &[(SKU, 1)]).await,
    );
    let caller = Caller {
        key: Some("1".to_owned().try_into().unwrap()),
        ..Caller::plain(Access::Everybody)
    };
    shop.orders.cancel(&caller, old.id).await.unwrap();
    let as_before = "update idempotency_keys set operation = 'cancelOrder' where user_id = 0";
    shop.execute(as_before, []).await;
    let repeat = shop.orders.cancel(&caller, old.id).await.unwrap();
    assert!(repeat.replayed);
    let other = shop.orders.cancel(&caller, new.id).await.unwrap();
    assert_eq!((other.replayed, other.value.refusal), (false, None));
    assert_eq!(shop.stock(SKU).await, (10, 0));
}
