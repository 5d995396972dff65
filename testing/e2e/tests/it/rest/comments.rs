//! The comments gateway: cases of several steps. Source: docs/contracts.md §6 and §8.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::{
    client::{Shop, Surface},
    table::Table,
};

pub(super) async fn run(shop: &Shop, table: &mut Table) {
    table
        .case(
            "§6",
            "a comment reads back in the contract's form",
            forms(shop),
        )
        .await;
    table
        .case(
            "§6",
            "requests are read in both key cases",
            both_cases(shop),
        )
        .await;
    table
        .case(
            "§6",
            "255 characters of two bytes are allowed, 256 are not",
            length(shop),
        )
        .await;
    table
        .case("§6", "a SKU over int32 is allowed", wide_sku(shop))
        .await;
    table
        .case("§6", "an author edits within the window", edit_own(shop))
        .await;
    table
        .case(
            "§8.18",
            "somebody else's comment is 403, code 7",
            edit_foreign(shop),
        )
        .await;
    table
        .case(
            "§8.18",
            "after the window an edit is 400, code 9",
            edit_late(shop),
        )
        .await;
    table
        .case(
            "§6",
            "a SKU's list is newest first and names the users",
            list_by_sku(shop),
        )
        .await;
    table
        .case(
            "§6",
            "a user's list spans the shards and names the SKUs",
            list_by_user(shop),
        )
        .await;
    table
        .case(
            "§8.18",
            "ten comments at once are ten comments",
            concurrent_adds(shop),
        )
        .await;
}

/// A SKU that nobody commented on: as unlikely to be met again as a new user.
fn new_sku(shop: &Shop) -> i64 {
    shop.user()
}

async fn get(shop: &Shop, id: &str) -> anyhow::Result<Value> {
    shop.post(Surface::Comments, "/comment/get-by-id", json!({"id": id}))
        .await?
        .is(200)?
        .json()
}

async fn list(shop: &Shop, path: &str, body: Value) -> anyhow::Result<Vec<Value>> {
    let list = shop
        .post(Surface::Comments, path, body)
        .await?
        .is(200)?
        .json()?;
    list["comments"]
        .as_array()
        .cloned()
        .with_context(|| format!("no comments: {list}"))
}

async fn forms(shop: &Shop) -> anyhow::Result<()> {
    let (user, sku) = (shop.user(), new_sku(shop));
    let text = "Отлично: \"1|2\"\n\u{1F600}";
    let id = shop.commented(user, sku, text).await?;
    ensure!(id.parse::<i64>()? > 0, "id {id}");
    let comment = get(shop, &id).await?;
    let created_at = comment["createdAt"].as_str().context("createdAt")?;
    ensure!(
        created_at.ends_with('Z') && created_at.contains('T'),
        "createdAt {created_at}"
    );
    let expected = json!({
        "id": id, "userId": user.to_string(), "sku": sku.to_string(), "comment": text, "createdAt": created_at,
    });
    ensure!(comment == expected, "{comment} instead of {expected}");
    Ok(())
}

async fn both_cases(shop: &Shop) -> anyhow::Result<()> {
    let (user, sku) = (shop.user(), new_sku(shop));
    let body = json!({"userId": user, "sku": sku, "comment": "a"});
    let added = shop
        .post(Surface::Comments, "/comment/add", body)
        .await?
        .is(200)?
        .json()?;
    let edit = json!({"userId": user, "commentId": added["id"], "newComment": "b"});
    shop.post(Surface::Comments, "/comment/edit", edit)
        .await?
        .is(200)?;
    let comment = get(shop, added["id"].as_str().context("id")?).await?;
    ensure!(comment["comment"] == "b", "{comment}");
    Ok(())
}

async fn length(shop: &Shop) -> anyhow::Result<()> {
    let (user, sku) = (shop.user(), new_sku(shop));
    let longest = "я".repeat(255);
    let id = shop.commented(user, sku, &longest).await?;
    ensure!(
        get(shop, &id).await?["comment"] == longest.as_str(),
        "the text changed"
    );
    for length in [256, 260] {
        let body = json!({"user_id": user, "sku": sku, "comment": "a".repeat(length)});
        shop.post(Surface::Comments, "/comment/add", body)
            .await?
            .is_code(400, 3)?;
    }
    Ok(())
}

async fn wide_sku(shop: &Shop) -> anyhow::Result<()> {
    let id = shop.commented(shop.user(), 4_000_000_000, "a").await?;
    ensure!(
        get(shop, &id).await?["sku"] == "4000000000",
        "the SKU changed"
    );
    Ok(())
}

async fn edit_own(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    let id = shop.commented(user, new_sku(shop), "before").await?;
    let edited = shop.edit(user, &id, "after").await?.is(200)?.json()?;
    ensure!(edited == json!({}), "{edited}");
    ensure!(
        get(shop, &id).await?["comment"] == "after",
        "the text did not change"
    );
    Ok(())
}

async fn edit_foreign(shop: &Shop) -> anyhow::Result<()> {
    let id = shop.commented(shop.user(), new_sku(shop), "mine").await?;
    shop.edit(shop.user(), &id, "yours")
        .await?
        .is_code(403, 7)?;
    ensure!(
        get(shop, &id).await?["comment"] == "mine",
        "the text changed"
    );
    Ok(())
}

/// The marketplace under test runs with a short window; 5 s is the longest that this waits.
async fn edit_late(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    let id = shop.commented(user, new_sku(shop), "before").await?;
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut pause = tokio::time::interval(Duration::from_millis(100));
    loop {
        pause.tick().await;
        let answer = shop.edit(user, &id, "after").await?;
        if answer.status != 200 {
            return answer.is_code(400, 9);
        }
        ensure!(
            Instant::now() < deadline,
            "still editable after 5 s: is MARKETPLACE_COMMENTS_EDIT_WINDOW set to 1s or 2s?"
        );
    }
}

async fn list_by_sku(shop: &Shop) -> anyhow::Result<()> {
    let sku = new_sku(shop);
    let mut ids = Vec::new();
    for text in ["first", "second", "third"] {
        ids.push(shop.commented(shop.user(), sku, text).await?);
    }
    ids.reverse();
    let comments = list(
        shop,
        "/comment/list-by-sku",
        json!({"sku": sku.to_string()}),
    )
    .await?;
    let found: Vec<_> = comments
        .iter()
        .filter_map(|comment| comment["id"].as_str())
        .collect();
    ensure!(found == ids, "{found:?} instead of {ids:?}");
    let mut keys: Vec<_> = comments[0]
        .as_object()
        .context("an object")?
        .keys()
        .collect();
    keys.sort();
    ensure!(keys == ["comment", "createdAt", "id", "userId"], "{keys:?}");
    Ok(())
}

async fn list_by_user(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    let mut skus: Vec<i64> = (0..4).map(|_| new_sku(shop)).collect();
    for sku in &skus {
        shop.commented(user, *sku, "a").await?;
    }
    skus.reverse();
    let comments = list(
        shop,
        "/comment/list-by-user",
        json!({"user_id": user.to_string()}),
    )
    .await?;
    let found: Vec<_> = comments
        .iter()
        .filter_map(|comment| comment["sku"].as_str())
        .collect();
    let skus: Vec<_> = skus.iter().map(ToString::to_string).collect();
    ensure!(found == skus, "{found:?} instead of {skus:?}");
    ensure!(
        comments[0]["userId"].is_null() && comments[0]["createdAt"].is_string(),
        "{:?}",
        comments[0]
    );
    Ok(())
}

async fn concurrent_adds(shop: &Shop) -> anyhow::Result<()> {
    let sku = new_sku(shop);
    let mut ids = try_join_all((0..10).map(|_| shop.commented(shop.user(), sku, "a"))).await?;
    let comments = list(shop, "/comment/list-by-sku", json!({"sku": sku})).await?;
    let mut found: Vec<_> = comments
        .iter()
        .filter_map(|comment| comment["id"].as_str())
        .collect();
    found.sort_unstable();
    ids.sort();
    ensure!(found == ids, "{found:?} instead of {ids:?}");
    Ok(())
}
