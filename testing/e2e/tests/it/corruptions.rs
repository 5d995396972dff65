//! The operator whose stores were damaged: `verify` names every one of the corruptions that are planted here, one at a time.

use std::collections::BTreeMap;

use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::record::Record;
use serde_json::json;
use tempfile::TempDir;

use crate::shop::{Arrangement, Shop, free_offset, new_user};
use crate::verify::{find, verify};

/// On sale and in stock. Source: docs/contracts.md §4 and §5.
const SKU: &str = "1076963";

/// Database, statement, and the promise that it breaks. Orders: 1 paid, 2 cancelled, 3 awaiting payment, all by `createOrder`; 4
/// paid and 5 cancelled, by checkouts; 6 paid, of another user. Comments: 1000 on an even SKU.
const PLANTED: [(&str, &str, &str); 56] = [
    ("loms", "update stocks set total = total + 1 where sku = 1148162", "I1"),
    ("loms", "update stocks set reserved = reserved + 1 where sku = 1148162", "I2"),
    ("loms", "update stocks set version = version + 1 where sku = 1076963", "I2a"),
    ("loms", "update topic_outbox set value = replace(value, '\"available\":', '\"available\":1')", "I2a"),
    ("loms", "delete from order_lines where order_id = 1; delete from outbox where order_id = 1; delete from orders where id = 1", "I1"),
    ("loms", "update orders set status = 'cancelled' where id = 1", "I7a"),
    ("loms", "update orders set status = 'cancelled' where id = 1; update outbox set status = 'cancelled' where order_id = 1 and version = 3", "I1"),
    ("loms", "update outbox set status = 'cancelled' where order_id = 1 and version = 3; update orders set status = 'cancelled' where id = 1", "I6a"),
    ("loms", "delete from outbox where order_id = 3 and version = 2", "I7a"),
    ("loms", "update order_lines set count = count + 1 where order_id = 1", "I1"),
    ("loms", "update order_lines set count = count + 1 where order_id = 5", "I5a"),
    ("loms", "update order_lines set sku = 1148162 where order_id = 2", "I7b"),
    ("loms", "update order_lines set unit_price = unit_price + 1 where order_id = 4", "I5a"),
    ("loms", "delete from order_lines where order_id = 2", "I5"),
    ("loms", "update idempotency_keys set answer = jsonb_set(answer, '{order,id}', '77') where key = 'a'", "I4"),
    ("loms", "update idempotency_keys set answer = jsonb_set(answer, '{order,id}', '1') where key = 'b'", "I4"),
    ("loms", "update idempotency_keys set answer = null where key = 'a'", "I4"),
    ("loms", "update idempotency_keys set answer = jsonb_set(answer, '{order,user_id}', '77') where key = 'a'", "I4a"),
    ("loms", "update idempotency_keys set user_id = 77 where key = 'a'", "I4a"),
    ("loms", "update idempotency_keys set answer = jsonb_set(answer, '{order,status}', '\"paid\"') where key = 'a'", "I4a"),
    ("loms", "update idempotency_keys set answer = jsonb_set(answer, '{order,version}', '9') where key = 'a'", "I4a"),
    ("loms", "update outbox set status = 'cancelled' where order_id = 1 and version = 2", "I7b"),
    ("loms", "update outbox set status = 'failed' where order_id = 3 and version = 2; update orders set status = 'failed' where id = 3", "I6a"),
    ("loms", "update orders set user_id = 77 where id = 2", "I7b"),
    ("loms", "update orders set user_id = 77 where id = 2; update outbox set user_id = 77 where order_id = 2", "I6a"),
    ("loms", "update outbox set moment = moment + interval '1 microsecond' where order_id = 1 and version = 3", "I6a"),
    ("loms", "update outbox set event_id = gen_random_uuid() where order_id = 1 and version = 2", "I6"),
    ("loms", "update orders set version = 2, status = 'awaiting payment' where id = 2; delete from outbox where order_id = 2 and version = 3", "I6"),
    ("loms", "update orders set version = version + 1 where id = 3", "I7a"),
    ("loms", "update orders set expires_at = null where id = 3", "I7b"),
    ("loms", "update orders set created_at = created_at - interval '1 second' where id = 1", "I7b"),
    ("loms", "update outbox set skus = '1' where order_id = 1 and version = 1", "I7b"),
    ("loms", "insert into orders select 50, user_id, status, version, created_at, expires_at from orders where id = 1;
        insert into order_lines select 50, position, sku, count, unit_price from order_lines where order_id = 1;
        insert into outbox (order_id, version, event_id, user_id, status, moment, sent_at, skus)
        select 50, version, gen_random_uuid(), user_id, status, moment, sent_at, skus from outbox where order_id = 1", "I6"),
    ("loms", "insert into outbox (order_id, version, event_id, user_id, status, moment, sent_at) values (60, 1, gen_random_uuid(), 1, 'new', now(), now())", "I7b"),
    ("notifier", "delete from deliveries where order_id = 3; delete from inbox where order_id = 3", "I10"),
    ("notifier", "delete from deliveries where order_id = 1 and version = 1", "I8"),
    ("notifier", "update deliveries set status = 'failed' where order_id = 1 and version = 2", "I6a"),
    ("notifier", "update deliveries set user_id = 77 where order_id = 1 and version = 2", "I6a"),
    ("notifier", "update deliveries set order_id = 77 where order_id = 1 and version = 2", "I6a"),
    ("notifier", "update deliveries set version = 9 where order_id = 1 and version = 2", "I6a"),
    ("notifier", "update deliveries set moment = moment - interval '1 day' where order_id = 1 and version = 2", "I6a"),
    ("notifier", "update inbox set order_id = 77 where order_id = 1 and version = 2", "I6a"),
    ("notifier", "with foreign_event as (insert into inbox values (gen_random_uuid(), 1, 9, 0, 0) returning event_id)
        insert into deliveries (event_id, order_id, user_id, version, status, moment, delivered_at)
        select event_id, 1, 1, 9, 'paid', now(), now() from foreign_event", "I8"),
    ("cart", "update checkouts set order_id = 77 where order_id = 4", "I5a"),
    ("cart", "update checkouts set state = 'open', order_id = null, opened_at = opened_at - interval '1 hour' where order_id = 4", "I5a"),
    ("cart", "update checkouts set state = 'out_of_stock', order_id = null where order_id = 4", "I5a"),
    ("cart", "update checkouts set order_id = 6 where order_id = 5", "I5a"),
    ("cart", "update checkouts set order_id = 4 where order_id = 5", "I4b"),
    ("cart", "update checkout_lines set count = count + 1 where checkout_id = (select id from checkouts where order_id = 4)", "I5a"),
    ("cart", "update checkout_lines set unit_price = unit_price + 1 where checkout_id = (select id from checkouts where order_id = 4)", "I5a"),
    ("cart", "delete from checkout_lines where checkout_id = (select id from checkouts where order_id = 4)", "I4b"),
    ("cart", "update carts set checkout_id = (select id from checkouts where order_id = 4) where user_id = (select user_id from checkouts where order_id = 4)", "I4b"),
    ("cart", "update checkout_keys set user_id = 77 where idempotency_key = 'd'", "I4b"),
    ("cart", "update idempotency_keys set answer = null", "I4b"),
    ("comments_0", "update comments set sku = sku + 1", "I11"),
    ("comments_0", "update comments set id = id + 1", "I11"),
];

/// Each is seen by the promise that it breaks, and all hold again when it is taken back.
#[tokio::test]
async fn verify_finds_every_planted_corruption() {
    let folder = TempDir::with_prefix("marketplace-verify-").unwrap();
    let shop = Shop::start_in(folder.path(), Arrangement::Together, free_offset(), &[]).await;
    work(&shop).await;
    let (ok, findings) = verify(&shop).await;
    assert!(ok, "{findings:#}");

    let mut missed = Vec::new();
    for (database, plant, promise) in PLANTED {
        save(&shop, database).await;
        shop.psql(database, plant).await;
        let (ok, findings) = verify(&shop).await;
        if ok || find(&findings, promise)["broken"] == 0 {
            missed.push(format!("{database}: {plant}: not {promise}: {findings:#}"));
        }
        restore(&shop, database).await;
    }
    let (ok, findings) = verify(&shop).await;
    assert!(ok, "all is as it was: {findings:#}");
    assert!(missed.is_empty(), "{}", missed.join("\n"));

    let contradiction = plant_message(&shop, true).await;
    let (_, findings) = verify(&shop).await;
    // Both what came before it and what the outbox says may be told of, by the partitions' order.
    assert!(
        find(&findings, "I6a")["broken"].as_u64().unwrap() > 0,
        "{contradiction}: {findings:#}"
    );
    let foreign = plant_message(&shop, false).await;
    let (_, findings) = verify(&shop).await;
    assert_eq!(
        find(&findings, "I6")["broken"],
        1,
        "{foreign}: {findings:#}"
    );
    assert!(
        find(&findings, "I7")["broken"].as_u64().unwrap() > 0,
        "{findings:#}"
    );
    shop.stop().await;
}

/// What a day has: orders by every way, paid, cancelled and waiting, and a comment.
async fn work(shop: &Shop) {
    let (user, other) = (new_user(), new_user());
    let token = shop.token(user, false).await;
    for key in ["a", "b", "c"] {
        order(shop, &token, key).await;
    }
    change(shop, &token, "payOrder", 1).await;
    change(shop, &token, "cancelOrder", 2).await;
    for (key, number, next) in [("d", 4, "payOrder"), ("e", 5, "cancelOrder")] {
        let add = "mutation($sku: ID!, $key: String!) {
            addToCart(input: {sku: $sku, count: 2, idempotencyKey: $key}) { userErrors { code } } }";
        let variables = json!({"sku": SKU, "key": format!("add-{key}")});
        shop.graphql(&token, add, variables).await;
        let checkout =
            "mutation($key: String!) { checkout(input: {idempotencyKey: $key}) { order { id } } }";
        let made = shop.graphql(&token, checkout, json!({"key": key})).await;
        assert_eq!(
            made["checkout"]["order"]["id"],
            number.to_string(),
            "{made}"
        );
        change(shop, &token, next, number).await;
    }
    let other = shop.token(other, false).await;
    order(shop, &other, "f").await;
    change(shop, &other, "payOrder", 6).await;
    let comment = "mutation { addComment(input: {sku: \"1148162\", text: \"good\", idempotencyKey: \"g\"}) { comment { id } } }";
    let made = shop.graphql(&token, comment, json!({})).await;
    assert_eq!(made["addComment"]["comment"]["id"], "1000", "{made}");
}

async fn order(shop: &Shop, token: &str, key: &str) {
    let create = format!(
        "mutation($key: String!) {{ createOrder(input: {{lines: [{{sku: \"{SKU}\", count: 1}}], idempotencyKey: $key}}) {{ order {{ id }} }} }}"
    );
    let made = shop.graphql(token, &create, json!({"key": key})).await;
    assert!(made["createOrder"]["order"]["id"].is_string(), "{made}");
}

async fn change(shop: &Shop, token: &str, change: &str, order: i64) {
    let change = format!(
        "mutation {{ {change}(input: {{orderId: \"{order}\"}}) {{ userErrors {{ code }} }} }}"
    );
    let made = shop.graphql(token, &change, json!({})).await;
    assert!(!made.to_string().contains("\"code\""), "{made}");
}

/// Copies every table of the database beside it.
async fn save(shop: &Shop, database: &str) {
    let copy = "do $$ declare name text; begin
        drop schema if exists saved cascade; create schema saved;
        for name in select tablename from pg_tables where schemaname = 'public' loop
            execute format('create table saved.%I as table public.%I', name, name);
        end loop; end $$";
    shop.psql(database, copy).await;
}

/// Puts every table back, past its rules.
async fn restore(shop: &Shop, database: &str) {
    let back = "do $$ declare name text; begin
        set local session_replication_role = replica;
        for name in select tablename from pg_tables where schemaname = 'saved' loop
            execute format('delete from public.%I', name);
            execute format('insert into public.%I select * from saved.%I', name, name);
        end loop;
        drop schema saved cascade; end $$";
    shop.psql(database, back).await;
}

/// Writes a message of an event that is known, with another status, or of one that nobody knows.
async fn plant_message(shop: &Shop, known: bool) -> String {
    let row = "select event_id, user_id, to_char(moment at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')
        from outbox where order_id = 1 and version = 1";
    let row = shop.psql("loms", row).await;
    let columns: Vec<&str> = row.trim().split('|').collect();
    let id = if known {
        columns[0].to_owned()
    } else {
        uuid::Uuid::new_v4().to_string()
    };
    let version = if known { "1" } else { "4" };
    let value = json!({"order_id": 1, "status": "cancelled", "moment": columns[2]}).to_string();
    let headers = [
        ("event-id", id.as_str()),
        ("version", version),
        ("user-id", columns[1]),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    let record = Record {
        key: Some(b"1".to_vec()),
        value: Some(value.into_bytes()),
        headers: BTreeMap::from(headers),
        timestamp: "2026-08-01T10:00:00Z".parse().unwrap(),
    };
    let broker = format!("127.0.0.1:{}", shop.port(9092));
    let client = ClientBuilder::new(vec![broker]).build().await.unwrap();
    let topic = client.partition_client(schema::event::TOPIC, 0, UnknownTopicHandling::Retry);
    let written = topic
        .await
        .unwrap()
        .produce(vec![record], Compression::NoCompression)
        .await;
    format!("{:?}", written.unwrap())
}
