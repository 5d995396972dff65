//! The operator who asks whether anything was lost: `marketplace verify` reads the stores and says so in words.

use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::shop::{Arrangement, Shop, command, free_offset, new_user};

/// On sale and in stock. Source: docs/contracts.md §4 and §5.
const SKU: &str = "1076963";

/// Each break is seen by the promise that it breaks, and by no other that does not depend on it.
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
            "delete from outbox where order_id = 1 and version = 2",
            "I6",
        ),
        (
            "notifier",
            "delete from deliveries where order_id = 1 and version = 1",
            "I8",
        ),
        (
            "notifier",
            "delete from deliveries where order_id = 3; delete from inbox where order_id = 3",
            "I10",
        ),
    ] {
        psql(&shop, database, sql).await;
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

/// Whether all holds, and the findings.
async fn verify(shop: &Shop) -> (bool, Value) {
    let mut command = command(shop.state(), shop.offset());
    command.args(["verify", "--json", "--settle", "5s"]);
    let output = run(command).await;
    let text = String::from_utf8_lossy(&output.stdout);
    let findings = serde_json::from_str(&text);
    let findings = findings.unwrap_or_else(|_| panic!("{text}\n{output:?}"));
    (output.status.success(), findings)
}

fn find<'a>(findings: &'a Value, id: &str) -> &'a Value {
    let mut all = findings.as_array().unwrap().iter();
    all.find(|finding| finding["id"] == id).unwrap()
}

async fn psql(shop: &Shop, database: &str, sql: &str) {
    let mut command = std::process::Command::new("psql");
    command
        .env("PGSERVICEFILE", shop.state().join("pg_service.conf"))
        .env("PGSERVICE", "marketplace")
        .args(["-q", "-d", database, "-c", sql]);
    let output = run(command).await;
    assert!(output.status.success(), "{sql}: {output:?}");
}

async fn run(mut command: std::process::Command) -> Output {
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let run = tokio::time::timeout(Duration::from_secs(60), run).await;
    run.expect("it ends in time").unwrap()
}
