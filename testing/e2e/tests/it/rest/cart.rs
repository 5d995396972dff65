//! Cart: cases of several steps. Source: docs/contracts.md §1 and §8.

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use reqwest::Method;
use serde_json::json;

use super::{
    client::{Shop, Surface},
    table::Table,
};

/// A product whose name and price existing clients pin. Source: docs/contracts.md §5.
const PINNED: i64 = 1_076_963;
const PINNED_NAME: &str = "Теория нравственных чувств | Смит Адам";
const PINNED_PRICE: u64 = 3379;
/// A product with a large stock; also pinned.
const PLENTY: i64 = 139_275_865;
const PLENTY_PRICE: u64 = 634;
/// A product with a small stock, for races over its last units.
const SCARCE: i64 = 135_717_466;

#[expect(clippy::too_many_lines, reason = "the page's table: a case a line")]
pub(super) async fn run(shop: &Shop, table: &mut Table) {
    table
        .case(
            "§8.1",
            "two adds of one SKU sum up, with the pinned name and price",
            sum(shop),
        )
        .await;
    table
        .case(
            "§1",
            "the list ascends by SKU and its total is the sum",
            ascending(shop),
        )
        .await;
    table
        .case("§1", "numbers of a list are JSON numbers", numbers(shop))
        .await;
    table
        .case(
            "§8.2",
            "an unknown SKU leaves the cart as it was",
            unknown_keeps_cart(shop),
        )
        .await;
    table
        .case(
            "§8.16",
            "one unit more than is free is 412",
            one_too_many(shop),
        )
        .await;
    table
        .case(
            "§1",
            "the stock check looks at this request alone",
            not_cumulative(shop),
        )
        .await;
    table
        .case(
            "§8.6",
            "a SKU is taken out, and taken out again",
            take_out(shop),
        )
        .await;
    table
        .case(
            "§8.6",
            "a cart is cleared, and cleared again",
            clear_twice(shop),
        )
        .await;
    table
        .case(
            "§8.14",
            "an add leaves the stock as it was",
            add_leaves_stock(shop),
        )
        .await;
    table
        .case(
            "§8.8",
            "a checkout makes one sorted order and empties the cart",
            checkout(shop),
        )
        .await;
    table
        .case(
            "§1",
            "a checkout that cannot reserve is 412 and keeps the cart",
            short_checkout(shop),
        )
        .await;
    table
        .case(
            "§9",
            "the older checkout answers orderID",
            old_checkout(shop),
        )
        .await;
    table
        .case("§1", "ten adds at once lose nothing", concurrent_adds(shop))
        .await;
    table
        .case(
            "§1",
            "two checkouts at once order the cart once",
            concurrent_checkouts(shop),
        )
        .await;
    table
        .case("§1", "carts of two users are two carts", two_users(shop))
        .await;
    table
        .case(
            "§1",
            "the greatest int64 is a user like any other",
            greatest_user(shop),
        )
        .await;
    table
        .case(
            "§2",
            "seventy lists of eleven lines by eleven clients are all 200",
            many_lists(shop),
        )
        .await;
    table
        .case("§1", "a cpu profile is made on demand", profile(shop))
        .await;
}

async fn sum(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    shop.add(user, PINNED, 1).await?.is(200)?;
    shop.add(user, PINNED, 5).await?.is(200)?;
    let list = shop.list(user).await?.is(200)?.json()?;
    let item = json!({"sku": PINNED, "name": PINNED_NAME, "count": 6, "price": PINNED_PRICE});
    let expected = json!({"items": [item], "total_price": 6 * PINNED_PRICE});
    ensure!(list == expected, "{list} instead of {expected}");
    Ok(())
}

async fn ascending(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    shop.add(user, PLENTY, 3).await?.is(200)?;
    shop.add(user, PINNED, 2).await?.is(200)?;
    let list = shop.list(user).await?.is(200)?.json()?;
    let skus: Vec<_> = list["items"]
        .as_array()
        .context("items")?
        .iter()
        .map(|item| &item["sku"])
        .collect();
    ensure!(skus == [&json!(PINNED), &json!(PLENTY)], "{skus:?}");
    let total = 2 * PINNED_PRICE + 3 * PLENTY_PRICE;
    ensure!(
        list["total_price"] == json!(total),
        "total {}",
        list["total_price"]
    );
    Ok(())
}

async fn numbers(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    shop.add(user, PINNED, 1).await?.is(200)?;
    let list = shop.list(user).await?.is(200)?.json()?;
    let item = &list["items"][0];
    for value in [
        &item["sku"],
        &item["count"],
        &item["price"],
        &list["total_price"],
    ] {
        ensure!(value.is_u64(), "{value} is no number");
    }
    Ok(())
}

async fn unknown_keeps_cart(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    shop.add(user, PINNED, 1).await?.is(200)?;
    let before = shop.list(user).await?.is(200)?.json()?;
    shop.add(user, 1_076_963_000, 1).await?.is(412)?;
    ensure!(
        shop.list(user).await?.is(200)?.json()? == before,
        "the cart changed"
    );
    Ok(())
}

async fn one_too_many(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    let free = shop.free(PLENTY).await?;
    shop.add(user, PLENTY, free + 1).await?.is(412)?;
    shop.list(user).await?.is(404)?;
    shop.add(user, PLENTY, free).await?.is(200)?;
    Ok(())
}

async fn not_cumulative(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    let free = shop.free(PLENTY).await?;
    shop.add(user, PLENTY, free).await?.is(200)?;
    shop.add(user, PLENTY, free).await?.is(200)?;
    let list = shop.list(user).await?.is(200)?.json()?;
    ensure!(
        list["items"][0]["count"] == json!(2 * u64::from(free)),
        "{list}"
    );
    Ok(())
}

async fn take_out(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    shop.add(user, PINNED, 1).await?.is(200)?;
    shop.add(user, PLENTY, 1).await?.is(200)?;
    shop.remove(user, PINNED).await?.is(204)?;
    shop.remove(user, PINNED).await?.is(204)?;
    let list = shop.list(user).await?.is(200)?.json()?;
    ensure!(
        list["items"]
            .as_array()
            .is_some_and(|items| items.len() == 1),
        "{list}"
    );
    shop.remove(user, PLENTY).await?.is(204)?;
    shop.list(user).await?.is(404)?;
    Ok(())
}

async fn clear_twice(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    shop.add(user, PINNED, 1).await?.is(200)?;
    shop.clear(user).await?.is(204)?;
    shop.list(user).await?.is(404)?;
    shop.clear(user).await?.is(204)?;
    Ok(())
}

async fn add_leaves_stock(shop: &Shop) -> anyhow::Result<()> {
    let before = shop.free(PINNED).await?;
    shop.add(shop.user(), PINNED, 2).await?.is(200)?;
    ensure!(shop.free(PINNED).await? == before, "the stock changed");
    Ok(())
}

async fn checkout(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    let before = shop.free(PLENTY).await?;
    shop.add(user, PLENTY, 2).await?.is(200)?;
    shop.add(user, PINNED, 1).await?.is(200)?;
    let body = shop.checkout(user).await?.is(200)?.json()?;
    let order = body["order_id"]
        .as_i64()
        .context("order_id is no number")?
        .to_string();
    let info = shop.info(&order).await?.is(200)?.json()?;
    let items =
        json!([{"sku": PINNED.to_string(), "count": 1}, {"sku": PLENTY.to_string(), "count": 2}]);
    ensure!(
        info["status"] == "awaiting payment" && info["items"] == items,
        "{info}"
    );
    ensure!(info["userId"] == json!(user.to_string()), "{info}");
    shop.list(user).await?.is(404)?;
    shop.checkout(user).await?.is(404)?;
    ensure!(
        shop.free(PLENTY).await? == before - 2,
        "the stock is not reserved"
    );
    shop.cancel(&order).await?.is(200)?;
    Ok(())
}

async fn short_checkout(shop: &Shop) -> anyhow::Result<()> {
    let (late, early) = (shop.user(), shop.user());
    let free = shop.free(SCARCE).await?;
    shop.add(late, SCARCE, free).await?.is(200)?;
    let order = shop.created(early, &[(SCARCE, free)]).await?;
    let answer = shop.checkout(late).await?;
    let kept = shop.list(late).await?;
    shop.cancel(&order).await?.is(200)?;
    answer.is(412)?;
    ensure!(
        kept.is(200)?.json()?["items"][0]["count"] == json!(free),
        "the cart is gone"
    );
    Ok(())
}

async fn old_checkout(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    shop.add(user, PINNED, 1).await?.is(200)?;
    let answer = shop
        .post(Surface::Cart, "/cart/checkout", json!({"user": user}))
        .await?;
    let body = answer.is(200)?.json()?;
    let order = body["orderID"]
        .as_i64()
        .context("orderID is no number")?
        .to_string();
    shop.cancel(&order).await?.is(200)?;
    Ok(())
}

async fn concurrent_adds(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    for answer in try_join_all((0..10).map(|_| shop.add(user, PLENTY, 1))).await? {
        answer.is(200)?;
    }
    let list = shop.list(user).await?.is(200)?.json()?;
    ensure!(list["items"][0]["count"] == json!(10), "{list}");
    Ok(())
}

async fn concurrent_checkouts(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    let before = shop.free(PLENTY).await?;
    shop.add(user, PLENTY, 3).await?.is(200)?;
    let answers = try_join_all((0..4).map(|_| shop.checkout(user))).await?;
    let mut orders = Vec::new();
    for answer in answers {
        ensure!(
            answer.status == 200 || answer.status == 404 || answer.status == 409,
            "{answer:?}"
        );
        if answer.status == 200 {
            orders.push(
                answer.json()?["order_id"]
                    .as_i64()
                    .context("order_id")?
                    .to_string(),
            );
        }
    }
    orders.sort();
    orders.dedup();
    ensure!(orders.len() == 1, "orders {orders:?}");
    ensure!(
        shop.free(PLENTY).await? == before - 3,
        "reserved more than once"
    );
    shop.cancel(&orders[0]).await?.is(200)?;
    Ok(())
}

async fn two_users(shop: &Shop) -> anyhow::Result<()> {
    let (one, other) = (shop.user(), shop.user());
    shop.add(one, PINNED, 1).await?.is(200)?;
    shop.list(other).await?.is(404)?;
    shop.clear(other).await?.is(204)?;
    shop.list(one).await?.is(200)?;
    Ok(())
}

async fn greatest_user(shop: &Shop) -> anyhow::Result<()> {
    shop.clear(i64::MAX).await?.is(204)?;
    shop.add(i64::MAX, PINNED, 1).await?.is(200)?;
    shop.list(i64::MAX).await?.is(200)?;
    shop.clear(i64::MAX).await?.is(204)?;
    Ok(())
}

/// The catalogue may be asked ten times a second: the rest waits or is remembered, and nobody is refused.
async fn many_lists(shop: &Shop) -> anyhow::Result<()> {
    const LINES: [i64; 11] = [
        PINNED, PLENTY, SCARCE, 1_148_162, 2_618_151, 2_956_315, 2_958_025, 3_596_599, 3_618_852,
        4_288_068, 4_465_995,
    ];
    let users: Vec<i64> = LINES.iter().map(|_| shop.user()).collect();
    let fill = async |user: i64| {
        for sku in LINES {
            shop.add(user, sku, 1).await?.is(200)?;
        }
        anyhow::Ok(())
    };
    try_join_all(users.iter().map(|user| fill(*user))).await?;
    let lists = (0..70).map(|turn| shop.list(users[turn % users.len()]));
    for list in try_join_all(lists).await? {
        let list = list.is(200)?.json()?;
        let lines = list["items"].as_array().map_or(0, Vec::len);
        ensure!(lines == LINES.len(), "{lines} lines");
    }
    Ok(())
}

async fn profile(shop: &Shop) -> anyhow::Result<()> {
    let path = "/debug/pprof/profile?seconds=1";
    let answer = shop.send(Surface::Cart, Method::GET, path, None).await?;
    ensure!(!answer.is(200)?.text.is_empty(), "an empty profile");
    Ok(())
}
