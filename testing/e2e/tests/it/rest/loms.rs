//! The LOMS gateway: cases of several steps. Source: docs/contracts.md §3 and §8.

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use reqwest::Method;
use serde_json::json;

use super::{
    client::{Shop, Surface},
    table::Table,
};

/// A SKU with a large stock that the catalogue does not know: LOMS orders it all the same.
const PLENTY: i64 = 1_625_903;
const OTHER: i64 = 1_148_162;
const NOWHERE: i64 = 999_999_999;

#[expect(clippy::too_many_lines, reason = "the page's table: a case a line")]
pub(super) async fn run(shop: &Shop, table: &mut Table) {
    table
        .case(
            "§3",
            "an order's answers have the contract's keys and forms",
            forms(shop),
        )
        .await;
    table
        .case("§3", "items ascend by SKU", ascending(shop))
        .await;
    table
        .case(
            "§3",
            "int64 is read from numbers and strings",
            both_forms(shop),
        )
        .await;
    table
        .case(
            "§9",
            "the user is read under each of its names",
            user_keys(shop),
        )
        .await;
    table
        .case("§3", "unknown keys are ignored", unknown_keys(shop))
        .await;
    table
        .case(
            "§3",
            "two lines of one SKU stay two and both are reserved",
            twin_lines(shop),
        )
        .await;
    table
        .case(
            "§8.10",
            "one short line reserves nothing at all",
            all_or_nothing(shop),
        )
        .await;
    table
        .case(
            "§8.13",
            "stock after create, pay and cancel",
            stock_effects(shop),
        )
        .await;
    table
        .case(
            "§8.11",
            "paying twice is fine and counts once",
            pay_twice(shop),
        )
        .await;
    table
        .case(
            "§8.11",
            "a cancelled order cannot be paid: code 9",
            pay_cancelled(shop),
        )
        .await;
    table
        .case(
            "§8.12",
            "cancelling twice is fine and counts once",
            cancel_twice(shop),
        )
        .await;
    table
        .case(
            "§8.12",
            "a paid order cannot be cancelled: code 9",
            cancel_paid(shop),
        )
        .await;
    table
        .case(
            "§3",
            "ten payments at once take the stock once",
            concurrent_pays(shop),
        )
        .await;
    table
        .case(
            "§3",
            "pay and cancel at once: one of them wins",
            pay_against_cancel(shop),
        )
        .await;
    table
        .case("§3", "orders at once never oversell", no_oversell(shop))
        .await;
    table
        .case(
            "§3",
            "the greatest int64 is a user like any other",
            greatest_user(shop),
        )
        .await;
    table
        .case("§3", "answers carry gRPC's content type", grpc_header(shop))
        .await;
    table
        .case(
            "§3",
            "the document lists exactly the five calls",
            document(shop),
        )
        .await;
}

async fn forms(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    let created = shop.create(user, &[(PLENTY, 1)]).await?.is(200)?.json()?;
    let members = created.as_object().context("an object")?;
    let order = created["orderId"]
        .as_str()
        .context("orderId is no string")?;
    ensure!(members.len() == 1 && order.parse::<i64>()? > 0, "{created}");
    let info = shop.info(order).await?.is(200)?.json()?;
    let expected = json!({
        "status": "awaiting payment",
        "userId": user.to_string(),
        "items": [{"sku": PLENTY.to_string(), "count": 1}],
    });
    ensure!(info == expected, "{info} instead of {expected}");
    let paid = shop.pay(order).await?.is(200)?.json()?;
    ensure!(paid == json!({}), "{paid}");
    shop.has_status(order, "paid").await
}

async fn ascending(shop: &Shop) -> anyhow::Result<()> {
    let order = shop
        .created(shop.user(), &[(PLENTY, 1), (OTHER, 2)])
        .await?;
    let info = shop.info(&order).await?.is(200)?.json()?;
    let expected =
        json!([{"sku": OTHER.to_string(), "count": 2}, {"sku": PLENTY.to_string(), "count": 1}]);
    ensure!(info["items"] == expected, "{info}");
    shop.cancel(&order).await?.is(200)?;
    Ok(())
}

async fn both_forms(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user();
    for body in [
        json!({"userId": user, "items": [{"sku": PLENTY, "count": 1}]}),
        json!({"userId": user.to_string(), "items": [{"sku": PLENTY.to_string(), "count": "1"}]}),
    ] {
        let created = shop
            .post(Surface::Loms, "/order/create", body)
            .await?
            .is(200)?
            .json()?;
        let order: i64 = created["orderId"].as_str().context("orderId")?.parse()?;
        let body = json!({"orderId": order});
        shop.post(Surface::Loms, "/order/cancel", body)
            .await?
            .is(200)?;
    }
    Ok(())
}

async fn user_keys(shop: &Shop) -> anyhow::Result<()> {
    for key in ["userId", "userID", "user_id", "user"] {
        let user = shop.user();
        let body =
            json!({key: user.to_string(), "items": [{"sku": PLENTY.to_string(), "count": 1}]});
        let created = shop.post(Surface::Loms, "/order/create", body).await?;
        let created = created.is(200).with_context(|| key)?.json()?;
        let order = created["orderId"].as_str().context("orderId")?;
        let info = shop.info(order).await?.is(200)?.json()?;
        ensure!(info["userId"] == json!(user.to_string()), "{key}: {info}");
        shop.cancel(order).await?.is(200)?;
    }
    Ok(())
}

async fn unknown_keys(shop: &Shop) -> anyhow::Result<()> {
    let user = shop.user().to_string();
    let item = json!({"sku": PLENTY.to_string(), "count": 1, "colour": null});
    let body = json!({"userId": user, "items": [item], "note": {"deep": [1]}});
    let created = shop
        .post(Surface::Loms, "/order/create", body)
        .await?
        .is(200)?
        .json()?;
    shop.cancel(created["orderId"].as_str().context("orderId")?)
        .await?
        .is(200)?;
    Ok(())
}

async fn twin_lines(shop: &Shop) -> anyhow::Result<()> {
    let before = shop.free(PLENTY).await?;
    let order = shop
        .created(shop.user(), &[(PLENTY, 1), (PLENTY, 2)])
        .await?;
    let info = shop.info(&order).await?.is(200)?.json()?;
    ensure!(
        info["items"]
            .as_array()
            .is_some_and(|items| items.len() == 2),
        "{info}"
    );
    ensure!(
        shop.free(PLENTY).await? == before - 3,
        "not both are reserved"
    );
    shop.cancel(&order).await?.is(200)?;
    Ok(())
}

async fn all_or_nothing(shop: &Shop) -> anyhow::Result<()> {
    let before = shop.free(PLENTY).await?;
    let short = before + 1;
    for lines in [[(OTHER, 1), (PLENTY, short)], [(PLENTY, 1), (NOWHERE, 1)]] {
        let other = shop.free(OTHER).await?;
        shop.create(shop.user(), &lines).await?.is_code(400, 9)?;
        ensure!(
            shop.free(PLENTY).await? == before,
            "a part is reserved: {lines:?}"
        );
        ensure!(
            shop.free(OTHER).await? == other,
            "a part is reserved: {lines:?}"
        );
    }
    Ok(())
}

async fn stock_effects(shop: &Shop) -> anyhow::Result<()> {
    let before = shop.free(PLENTY).await?;
    let order = shop.created(shop.user(), &[(PLENTY, 5)]).await?;
    ensure!(shop.free(PLENTY).await? == before - 5, "after create");
    shop.cancel(&order).await?.is(200)?;
    ensure!(shop.free(PLENTY).await? == before, "after cancel");
    let order = shop.created(shop.user(), &[(PLENTY, 5)]).await?;
    shop.pay(&order).await?.is(200)?;
    ensure!(shop.free(PLENTY).await? == before - 5, "after pay");
    Ok(())
}

async fn pay_twice(shop: &Shop) -> anyhow::Result<()> {
    let order = shop.created(shop.user(), &[(PLENTY, 2)]).await?;
    let reserved = shop.free(PLENTY).await?;
    shop.pay(&order).await?.is(200)?;
    shop.pay(&order).await?.is(200)?;
    ensure!(shop.free(PLENTY).await? == reserved, "the stock fell twice");
    shop.has_status(&order, "paid").await
}

async fn pay_cancelled(shop: &Shop) -> anyhow::Result<()> {
    let order = shop.created(shop.user(), &[(PLENTY, 1)]).await?;
    shop.cancel(&order).await?.is(200)?;
    shop.pay(&order).await?.is_code(400, 9)?;
    shop.has_status(&order, "cancelled").await
}

async fn cancel_twice(shop: &Shop) -> anyhow::Result<()> {
    let before = shop.free(PLENTY).await?;
    let order = shop.created(shop.user(), &[(PLENTY, 2)]).await?;
    shop.cancel(&order).await?.is(200)?;
    shop.cancel(&order).await?.is(200)?;
    ensure!(shop.free(PLENTY).await? == before, "the stock rose twice");
    shop.has_status(&order, "cancelled").await
}

async fn cancel_paid(shop: &Shop) -> anyhow::Result<()> {
    let order = shop.created(shop.user(), &[(PLENTY, 1)]).await?;
    shop.pay(&order).await?.is(200)?;
    shop.cancel(&order).await?.is_code(400, 9)?;
    shop.has_status(&order, "paid").await
}

async fn concurrent_pays(shop: &Shop) -> anyhow::Result<()> {
    let order = shop.created(shop.user(), &[(PLENTY, 3)]).await?;
    let reserved = shop.free(PLENTY).await?;
    for answer in try_join_all((0..10).map(|_| shop.pay(&order))).await? {
        answer.is(200)?;
    }
    ensure!(
        shop.free(PLENTY).await? == reserved,
        "the stock fell more than once"
    );
    Ok(())
}

async fn pay_against_cancel(shop: &Shop) -> anyhow::Result<()> {
    for _ in 0..5 {
        let order = shop.created(shop.user(), &[(PLENTY, 1)]).await?;
        let (paid, cancelled) = tokio::try_join!(shop.pay(&order), shop.cancel(&order))?;
        let winner = match (paid.status, cancelled.status) {
            (200, 400) => "paid",
            (400, 200) => "cancelled",
            other => anyhow::bail!("{other:?}"),
        };
        shop.has_status(&order, winner).await?;
    }
    Ok(())
}

async fn no_oversell(shop: &Shop) -> anyhow::Result<()> {
    let free = shop.free(OTHER).await?;
    let share = free / 4 + 1; // five buyers want more than there is: three get it
    let lines = [(OTHER, share)];
    let answers = try_join_all((0..5).map(|_| shop.create(shop.user(), &lines))).await?;
    let mut orders = Vec::new();
    for answer in answers {
        match answer.status {
            200 => orders.push(
                answer.json()?["orderId"]
                    .as_str()
                    .context("orderId")?
                    .to_owned(),
            ),
            _ => answer.is_code(400, 9)?,
        }
    }
    let left = shop.free(OTHER).await?;
    for order in &orders {
        shop.cancel(order).await?.is(200)?;
    }
    let sold = u32::try_from(orders.len())? * share;
    ensure!(
        sold <= free && left == free - sold,
        "free {free}, sold {sold}, left {left}"
    );
    ensure!(
        free - sold < share,
        "{} orders although more fit",
        orders.len()
    );
    Ok(())
}

async fn greatest_user(shop: &Shop) -> anyhow::Result<()> {
    let order = shop.created(i64::MAX, &[(PLENTY, 1)]).await?;
    let info = shop.info(&order).await?.is(200)?.json()?;
    ensure!(info["userId"] == "9223372036854775807", "{info}");
    shop.cancel(&order).await?.is(200)?;
    Ok(())
}

async fn grpc_header(shop: &Shop) -> anyhow::Result<()> {
    let path = format!("/stock/info?sku={PLENTY}");
    let answer = shop.send(Surface::Loms, Method::GET, &path, None).await?;
    let header = answer.headers.get("grpc-metadata-content-type");
    ensure!(
        header.is_some_and(|value| value == "application/grpc"),
        "{header:?}"
    );
    let form = answer.headers.get("content-type").context("content-type")?;
    ensure!(form.to_str()?.starts_with("application/json"), "{form:?}");
    Ok(())
}

async fn document(shop: &Shop) -> anyhow::Result<()> {
    let answer = shop
        .send(Surface::Loms, Method::GET, "/swagger.json", None)
        .await?;
    let document = answer.is(200)?.json()?;
    let mut paths: Vec<_> = document["paths"]
        .as_object()
        .context("paths")?
        .keys()
        .collect();
    paths.sort();
    let calls = [
        "/order/cancel",
        "/order/create",
        "/order/info",
        "/order/pay",
        "/stock/info",
    ];
    ensure!(paths == calls, "{paths:?}");
    Ok(())
}
