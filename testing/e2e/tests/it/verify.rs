//! The operator who asks whether anything was lost: `marketplace verify` reads the stores and says so in words.

use rskafka::client::ClientBuilder;
use rskafka::client::partition::{OffsetAt, UnknownTopicHandling};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::shop::{Arrangement, Shop, command, free_offset, new_user, run};

/// On sale and in stock. Source: docs/contracts.md §4 and §5.
const SKU: &str = "1076963";

/// Each break is seen by the promise that it breaks, and by no other that does not depend on it. Seen red with a failed order taken
/// for that of the checkout that was refused.
#[tokio::test]
async fn verify_holds_after_a_days_work_and_names_each_promise_that_is_broken() {
    let folder = TempDir::with_prefix("marketplace-verify-").unwrap();
    let shop = Shop::start_in(folder.path(), Arrangement::Together, free_offset(), &[]).await;
    work(&shop).await;
    let (ok, findings) = verify(&shop).await;
    assert!(ok, "{findings:#}");
    let looked_at = |id: &str| find(&findings, id)["checked"].as_u64().unwrap();
    assert!(
        looked_at("I6") == 8 && looked_at("I8") == 8 && looked_at("I4") == 3,
        "{findings:#}"
    );

    empty_topic(&shop).await;
    let (ok, findings) = verify(&shop).await;
    assert!(ok, "what retention removed is not missed: {findings:#}");
    assert_eq!(find(&findings, "I6")["checked"], 0);
    work(&shop).await;
    let (ok, findings) = verify(&shop).await;
    assert!(ok, "{findings:#}");
    assert_eq!(find(&findings, "I6")["checked"], 8);

    refused_checkout(&shop).await;
    let (ok, findings) = verify(&shop).await;
    assert!(ok, "a refusal is no broken promise: {findings:#}");

    for (database, sql, promise) in [
        (
            "loms",
            "update stocks set reserved = reserved + 1 where sku = 1148162",
            "I2",
        ),
        (
            "loms",
            "update stocks set total = total + 1 where sku = 1148162",
            "I1",
        ),
        (
            "loms",
            "update stocks set version = version + 1 where sku in (select key::bigint from topic_outbox)",
            "I2a",
        ),
        (
            "loms",
            "update orders set version = version + 1 where id = 1",
            "I7a",
        ),
        (
            "loms",
            "update idempotency_keys set answer = jsonb_set(answer, '{order,id}', '1')",
            "I4",
        ),
        ("loms", "delete from order_lines where order_id = 2", "I5"),
        (
            "loms",
            "delete from outbox where version = 2 and order_id = (select max(order_id) from outbox)",
            "I6",
        ),
        (
            "notifier",
            "delete from deliveries where order_id = 3; delete from inbox where order_id = 3",
            "I10",
        ),
        (
            "notifier",
            "delete from deliveries where order_id = 1 and version = 1",
            "I8",
        ),
    ] {
        shop.psql(database, sql).await;
        let (ok, findings) = verify(&shop).await;
        assert!(!ok, "{sql}");
        assert!(
            find(&findings, promise)["broken"].as_u64().unwrap() > 0,
            "{sql}: {findings:#}"
        );
    }
    shop.stop().await;
}

/// Three orders: one paid, one cancelled, one that waits.
async fn work(shop: &Shop) {
    let token = shop.token(new_user(), false).await;
    let create = format!(
        "mutation($key: String!) {{ createOrder(input: {{lines: [{{sku: \"{SKU}\", count: 1}}], idempotencyKey: $key}}) {{ order {{ id }} }} }}"
    );
    let mut ids = Vec::new();
    for key in ["a", "b", "c"] {
        let made = shop.graphql(&token, &create, json!({ "key": key })).await;
        ids.push(made["createOrder"]["order"]["id"].clone());
    }
    for (change, id) in [("payOrder", &ids[0]), ("cancelOrder", &ids[1])] {
        let change = format!(
            "mutation($id: ID!) {{ {change}(input: {{orderId: $id}}) {{ userErrors {{ code }} }} }}"
        );
        shop.graphql(&token, &change, json!({ "id": id })).await;
    }
}

/// Three carts, each with half of what there is of a product: the third checkout fails, and so does the order that it leaves.
async fn refused_checkout(shop: &Shop) {
    let free = format!("select total - reserved from stocks where sku = {SKU}");
    let free: i64 = shop.psql("loms", &free).await.trim().parse().unwrap();
    let add = "mutation($sku: ID!, $count: Int!) { addToCart(input: {sku: $sku, count: $count}) { userErrors { code } } }";
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let token = shop.token(new_user(), false).await;
        let added = json!({"sku": SKU, "count": free / 2});
        let added = shop.graphql(&token, add, added).await;
        assert_eq!(added["addToCart"]["userErrors"], json!([]));
        tokens.push(token);
    }
    let mut codes = Vec::new();
    for token in &tokens {
        let checkout = "mutation { checkout { userErrors { code } } }";
        let done = shop.graphql(token, checkout, json!({})).await;
        codes.push(done["checkout"]["userErrors"][0]["code"].clone());
    }
    assert_eq!(codes, [Value::Null, Value::Null, json!("OUT_OF_STOCK")]);
}

/// Removes every record of the topic, as its retention does with time.
async fn empty_topic(shop: &Shop) {
    let broker = format!("127.0.0.1:{}", shop.port(9092));
    let client = ClientBuilder::new(vec![broker]).build().await.unwrap();
    for partition in [0, 1] {
        let topic = schema::event::TOPIC;
        let partition = client.partition_client(topic, partition, UnknownTopicHandling::Retry);
        let partition = partition.await.unwrap();
        let end = partition.get_offset(OffsetAt::Latest).await.unwrap();
        partition.delete_records(end, 5_000).await.unwrap();
    }
}

/// Whether all holds, and the findings.
pub(crate) async fn verify(shop: &Shop) -> (bool, Value) {
    let mut command = command(shop.state(), shop.offset());
    command.args(["verify", "--json", "--settle", "5s"]);
    let output = run(command).await;
    let text = String::from_utf8_lossy(&output.stdout);
    let findings = serde_json::from_str(&text);
    let findings = findings.unwrap_or_else(|_| panic!("{text}\n{output:?}"));
    (output.status.success(), findings)
}

pub(crate) fn find<'a>(findings: &'a Value, id: &str) -> &'a Value {
    let mut all = findings.as_array().unwrap().iter();
    all.find(|finding| finding["id"] == id).unwrap()
}
