//! Orders at a steady rate while their buyers, and perhaps operators, look on.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{
    crowd::Crowd,
    row::Row,
    shop::{Shop, count_of},
    subscriber::Wire,
    suite::Bench,
};

const MINE: [&str; 2] = [
    "subscription { myOrderEvents { cursor kind orderId version status at } }",
    "subscription { myOrderEvents { cursor kind orderId version status at order { lines { product { name } } } } }",
];
const ALL: [&str; 2] = [
    "subscription { allOrderEvents { cursor kind orderId version status at } }",
    "subscription { allOrderEvents { cursor kind orderId version status at order { lines { product { name } } } } }",
];
/// How long what is under way may take after the last order.
const REST: Duration = Duration::from_secs(5);

/// What came of the orders.
#[derive(Debug, Default)]
pub(crate) struct Bought {
    pub(crate) taken: AtomicUsize,
    pub(crate) refused: AtomicUsize,
}

/// From the commit to the frame, while nobody waits for anybody.
///
/// # Errors
/// When a stream ends.
pub(crate) async fn commit_to_frame(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    let (owners, rate) = (bench.sizes.owners, bench.sizes.low_rate);
    let tokens = bench.shop.tokens(owners).await?;
    bench.shop.renew_router().await?;
    let mut crowd = buyers(bench, &tokens, MINE[0]).await?;
    bench.shop.has_open(owners).await?;
    let _bought = buy(bench.shop, &tokens, rate, bench.sizes.time).await;
    sleep(REST).await;
    crowd.is_whole()?;
    let name = format!("{owners} owners, {rate} orders/s: commit to frame");
    let frames = &crowd.frames;
    bench.add(Row::goal(
        format!("{name}, p50"),
        "ms",
        frames.lag(0.5),
        10.0,
    ));
    bench.add(Row::goal(
        format!("{name}, p99"),
        "ms",
        frames.lag(0.99),
        50.0,
    ));
    crowd.leave().await;
    Ok(())
}

/// A load of orders with operators who see all of them.
///
/// # Errors
/// When a stream ends.
pub(crate) async fn watched(bench: &mut Bench<'_>, with_order: bool) -> anyhow::Result<()> {
    let (owners, operators, rate) = (bench.sizes.owners, bench.sizes.operators, bench.sizes.rate);
    let tokens = bench.shop.tokens(owners).await?;
    bench.shop.renew_router().await?;
    let query = usize::from(with_order);
    let mut crowd = buyers(bench, &tokens, MINE[query]).await?;
    let token = bench.shop.operator.clone();
    let wish = bench.wish(Wire::Sse, ALL[query], token)?;
    let mut watching = Crowd::gather(&[wish], operators).await?;
    bench.shop.has_open(owners + operators).await?;
    let bought = buy(bench.shop, &tokens, rate, bench.sizes.time).await;
    sleep(REST).await;
    crowd.is_whole()?;
    watching.is_whole()?;
    let what = if with_order {
        "with their order"
    } else {
        "event fields"
    };
    let name = format!("{owners} owners, {operators} operators, {rate} orders/s, {what}");
    let refused = count_of(bought.refused.load(Relaxed));
    for (who, crowd) in [("owners", &crowd), ("operators", &watching)] {
        let lag = crowd.frames.lag(0.99);
        bench.add(Row::goal(
            format!("{name}: {who}' lag p99"),
            "ms",
            lag,
            250.0,
        ));
        let missing = count_of(crowd.frames.without_order());
        bench.add(Row::goal(
            format!("{name}: {who}' frames without order"),
            "",
            missing,
            0.0,
        ));
    }
    bench.add(Row::goal(
        format!("{name}: refused buyers"),
        "",
        refused,
        0.0,
    ));
    let taken = count_of(bought.taken.load(Relaxed)) / bench.sizes.time.as_secs_f64();
    bench.add(Row::plain(format!("{name}: taken"), "orders/s", taken));
    crowd.leave().await;
    watching.leave().await;
    Ok(())
}

async fn buyers(
    bench: &Bench<'_>,
    tokens: &[String],
    query: &'static str,
) -> anyhow::Result<Crowd> {
    let wishes = tokens
        .iter()
        .map(|token| bench.wish(Wire::Sse, query, token.clone()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    Crowd::gather(&wishes, wishes.len()).await
}

/// Has the buyers order by turns, `rate` times a second, and waits for nobody.
pub(crate) async fn buy(shop: &Shop, tokens: &[String], rate: u32, time: Duration) -> Bought {
    let bought = Bought::default();
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let count = time.as_secs() * u64::from(rate);
    let mut under_way = FuturesUnordered::new();
    for number in 0..usize::try_from(count).unwrap_or(usize::MAX) {
        loop {
            tokio::select! {
                _ = ticks.tick() => break,
                Some(()) = under_way.next() => {}
            }
        }
        let (token, bought) = (&tokens[number % tokens.len()], &bought);
        under_way.push(async move {
            let ordered = shop.order(token).await;
            let counter = match ordered {
                Ok(Some(_)) => &bought.taken,
                Ok(None) | Err(_) => &bought.refused,
            };
            counter.fetch_add(1, Relaxed);
        });
    }
    while under_way.next().await.is_some() {}
    drop(under_way);
    bought
}
