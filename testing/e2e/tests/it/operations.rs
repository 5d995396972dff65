//! The pages for operators: every command in `docs/runbook.md` and `docs/operations/` is run.
//!
//! A block marked `sh` is run as it stands, with the addresses and folders of the test's own marketplace in place of the
//! default ones. A block marked `sh containers` needs an engine: its services and files are looked up in `compose.yaml`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;

use crate::observability::read;
use crate::shop::{Arrangement, Shop, free_offset, new_user};
use crate::subscription::Subscription;

const SKU: &str = "1076963";

/// The fenced blocks of a page whose mark is exactly `mark`.
fn blocks(page: &str, mark: &str) -> Vec<String> {
    let text = read(page);
    let parts = text.split("\n```").skip(1).step_by(2);
    let marked = parts.filter_map(|part| part.split_once('\n').filter(|(first, _)| *first == mark));
    marked.map(|(_, block)| block.to_owned()).collect()
}

/// A block with the marketplace's own ports and folders.
fn here(block: &str, shop: &Shop) -> String {
    let tests = std::env::current_exe().unwrap();
    let program = tests
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("marketplace");
    let state = shop.state().display();
    let marketplace = format!(
        "{} --state-dir {state} --port-offset {}",
        program.display(),
        shop.offset()
    );
    let block = block.replace("target/debug/marketplace", &marketplace);
    let block = [4000, 4001].into_iter().fold(block, |block, port| {
        block.replace(
            &format!("127.0.0.1:{port}"),
            &format!("127.0.0.1:{}", shop.port(port)),
        )
    });
    block
        .replace(".marketplace/", &format!("{state}/"))
        .replace("-p .marketplace ", &format!("-p {state} "))
}

/// Runs a script with what earlier blocks exported; it must succeed. What it printed.
fn run(folder: &Path, script: &str, shop: &Shop) -> String {
    let script = here(script, shop);
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(folder)
        .env_remove("MARKETPLACE_COMMENTS_EDIT_WINDOW")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{printed}");
    printed.into_owned()
}

/// A paid order of a new user; the user's token and the order's id.
async fn order(shop: &Shop) -> (String, Value) {
    let token = shop.token(new_user(), false).await;
    let create = "mutation($sku: ID!) { createOrder(input: {lines: [{sku: $sku, count: 1}]}) { order { id } } }";
    let made = shop.graphql(&token, create, json!({"sku": SKU})).await;
    let id = made["createOrder"]["order"]["id"].clone();
    let pay = "mutation($id: ID!) { payOrder(input: {orderId: $id}) { order { status } } }";
    shop.graphql(&token, pay, json!({"id": id})).await;
    (token, id)
}

#[tokio::test]
async fn every_command_of_the_runbook_and_of_the_upgrade_runs() {
    let folder = TempDir::with_prefix("marketplace-runbook-").unwrap();
    let shop = Shop::start_in(folder.path(), Arrangement::Together, free_offset(), &[]).await;
    order(&shop).await;
    for page in [
        "docs/runbook.md",
        "docs/operations/upgrade.md",
        "docs/scale.md",
    ] {
        // One shell for a page: a later block uses what an earlier one exported.
        let script = blocks(page, "sh").join("\n");
        assert!(
            script.contains("target/debug") || script.contains("curl"),
            "{page} has no commands"
        );
        run(folder.path(), &script, &shop);
    }
    shop.stop().await;
}

/// Seen red with the line that restores `loms` left out.
#[tokio::test]
async fn a_marketplace_that_lost_everything_is_restored_by_the_pages_commands() {
    let folder = TempDir::with_prefix("marketplace-backup-").unwrap();
    let offset = free_offset();
    let shop = Shop::start_in(folder.path(), Arrangement::Together, offset, &[]).await;
    let (token, id) = order(&shop).await;
    // A place before the first event is a place in any topic: no client could tell.
    everything_is_sent(folder.path(), &shop).await;
    let end = shop
        .graphql(&token, "{ orderEventsCursor }", json!({}))
        .await;
    let pages = blocks("docs/operations/backup.md", "sh");
    let [backup, clean, restore, look] = pages.as_slice() else {
        panic!("the page has other blocks than the test knows: {pages:#?}");
    };
    run(folder.path(), backup, &shop);
    // The process is gone before its folder is emptied; its addresses stay, so the page's commands still find it.
    let shop = stopped_while(shop, folder.path(), offset, |shop| {
        run(folder.path(), clean, shop);
    })
    .await;
    run(folder.path(), &format!("{restore}\n{look}"), &shop);
    let shop = stopped_while(shop, folder.path(), offset, |_| {}).await;

    let found = shop
        .graphql(
            &token,
            "query($id: ID!) { order(id: $id) { id status } }",
            json!({"id": id}),
        )
        .await;
    assert_eq!(
        found["order"]["status"], "PAID",
        "the token of before is good, and so is the order"
    );
    let after = json!({"after": end["orderEventsCursor"]});
    let mine = "subscription($after: Cursor) { myOrderEvents(after: $after) { kind } }";
    let mut watch = Subscription::open(&shop, &token, mine, after).await;
    assert_eq!(watch.next().await.data["myOrderEvents"]["kind"], "GAP");
    everything_is_sent(folder.path(), &shop).await;
    shop.stop().await;
}

/// Stops the marketplace, does something, and starts it again in the same folder.
async fn stopped_while(shop: Shop, folder: &Path, offset: u16, act: impl FnOnce(&Shop)) -> Shop {
    let shop = shop.halt().await;
    act(&shop);
    Shop::start_in(folder, Arrangement::Together, offset, &[]).await
}

async fn everything_is_sent(folder: &Path, shop: &Shop) {
    let count = "export PGSERVICEFILE=.marketplace/pg_service.conf PGSERVICE=marketplace
        psql -d loms -Atc 'select count(*) from outbox where sent_at is null'";
    eventually("the outbox is sent", Duration::from_secs(20), async || {
        (run(folder, count, shop).trim() == "0").then_some(())
    })
    .await;
}

/// What cannot be run here is at least about what exists.
#[test]
fn commands_for_containers_name_services_that_compose_has() {
    let compose = read("compose.yaml");
    let pages = [
        "docs/runbook.md",
        "docs/operations/backup.md",
        "docs/operations/upgrade.md",
    ];
    let mut seen = 0;
    for page in pages {
        for block in blocks(page, "sh containers") {
            for line in block
                .lines()
                .filter(|line| line.contains("docker compose "))
            {
                let (_, words) = line.split_once("docker compose ").unwrap();
                let words: Vec<&str> = words.split_whitespace().collect();
                let known = [
                    "build", "cp", "exec", "logs", "ps", "restart", "rm", "run", "stop", "up",
                ];
                assert!(known.contains(&words[0]), "{page}: {line}");
                let names = words[1..]
                    .iter()
                    .filter(|word| SERVICES.contains(&word.trim_matches('"')));
                for name in names {
                    assert!(
                        compose.contains(&format!("\n  {name}:\n")),
                        "{page}: no service {name}: {line}"
                    );
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 10, "only {seen} services are named");
}

const SERVICES: [&str; 11] = [
    "cart",
    "collector",
    "comments",
    "jaeger",
    "kafka",
    "loms",
    "migrate",
    "notifier",
    "postgres",
    "proxy",
    "router",
];
