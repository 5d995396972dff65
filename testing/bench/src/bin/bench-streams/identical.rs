//! Everybody subscribes to the same: memory, idle processor time, one event to all, and what is left when they are gone.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    crowd::{Cost, Crowd, SETTLED},
    floor::Floor,
    row::Row,
    shop::count_of,
    subscriber::{Wire, Wish},
    suite::Bench,
};

const EVENTS: &str = "subscription { allOrderEvents { cursor kind orderId version status at } }";
const WITH_ORDER: &str = "subscription { allOrderEvents { cursor kind orderId version status at \
     order { lines { product { name } } } } }";
const MINE: &str = "subscription { myOrderEvents { cursor kind orderId version status at } }";
/// How long a crowd does nothing, to see what that costs.
const QUIET: Duration = Duration::from_secs(10);
/// Requests of others when a crowd has left.
const WORK: usize = 1_000;
/// The floor's port, before it is moved.
const FLOOR_PORT: u16 = 4_900;

/// What the floor needs for one event to everybody.
///
/// # Errors
/// When it breaks.
pub(crate) async fn floor(bench: &mut Bench<'_>) -> anyhow::Result<Cost> {
    let address = format!("127.0.0.1:{}", FLOOR_PORT + bench.port_offset);
    let mut floor = Floor::start(bench.cores, address.parse()?)?;
    sleep(Duration::from_millis(500)).await;
    let wish = Wish {
        address: floor.address,
        wire: Wire::Sse,
        query: EVENTS,
        token: String::new(),
    };
    let crowd = Crowd::gather(&[wish], bench.sizes.identical).await?;
    let process = floor.process();
    let happen = async |_| floor.broadcast();
    let cost = crowd.broadcast(process, bench.sizes.events, happen).await?;
    crowd.leave().await;
    let who = format!("{} subscribers", bench.sizes.identical);
    bench.add(Row::plain(
        format!("the floor: one event to {who}, p50"),
        "ms",
        cost.p50,
    ));
    bench.add(Row::plain(
        format!("the floor: one event to {who}, p99"),
        "ms",
        cost.p99,
    ));
    bench.add(Row::plain(
        "the floor: processor time a frame",
        "µs",
        cost.a_frame,
    ));
    Ok(cost)
}

/// A crowd at the router, from its coming to its going.
///
/// # Errors
/// When a stream ends or an event does not come.
pub(crate) async fn crowd(bench: &mut Bench<'_>, wire: Wire, floor: Cost) -> anyhow::Result<()> {
    let size = bench.sizes.identical;
    let name = format!("{size} identical, {}", wire.name());
    let orders = bench.orders(bench.sizes.events + 1).await?;
    bench.shop.renew_router().await?;
    let wishes = [bench.wish(wire, EVENTS, bench.shop.operator.clone())?];
    let (mut crowd, before) = settle(bench, &wishes, size, &name, 6.0).await?;
    let router = bench.shop.router()?;
    let idle = Crowd::idle(router, QUIET).await?;
    bench.add(Row::goal(
        format!("{name}: idle, of one processor"),
        "%",
        idle,
        2.0,
    ));
    let happen = async |number: usize| bench.pay(&orders[number]).await;
    let cost = crowd.broadcast(router, bench.sizes.events, happen).await?;
    bench.compare(&name, cost, floor);
    crowd.is_whole()?;
    crowd.leave().await;
    bench.shop.has_open(0).await?;
    // The allocator gives back what is free when it works, and a router that nobody uses has no work.
    bench.shop.tokens(WORK).await?;
    sleep(SETTLED * 2).await;
    let left = (router.resident()? - before) / count_of(size);
    bench.add(Row::plain(
        format!("{name}: kept of each when they have left"),
        "KiB",
        left,
    ));
    Ok(())
}

/// Subscribers who are each somebody else.
///
/// # Errors
/// When a stream ends.
pub(crate) async fn distinct(bench: &mut Bench<'_>, wire: Wire) -> anyhow::Result<()> {
    let size = bench.sizes.distinct;
    let name = format!("{size} users, {}", wire.name());
    let tokens = bench.shop.tokens(size).await?;
    bench.shop.renew_router().await?;
    let wishes = tokens
        .into_iter()
        .map(|token| bench.wish(wire, MINE, token))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (mut crowd, _) = settle(bench, &wishes, size, &name, 8.0).await?;
    crowd.is_whole()?;
    crowd.leave().await;
    Ok(())
}

/// One event to everybody, with what the graph has of its order.
///
/// # Errors
/// When a stream ends or an event does not come.
pub(crate) async fn entities(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    let size = bench.sizes.identical;
    let name = format!("{size} identical, SSE, with their order");
    let orders = bench.orders(bench.sizes.events + 1).await?;
    bench.shop.renew_router().await?;
    let wishes = [bench.wish(Wire::Sse, WITH_ORDER, bench.shop.operator.clone())?];
    let mut crowd = Crowd::gather(&wishes, size).await?;
    bench.shop.has_open(size).await?;
    let fetches = async || {
        let loms = bench
            .shop
            .metric("marketplace_router_fetches_total", r#"subgraph="loms""#);
        let cart = bench
            .shop
            .metric("marketplace_router_fetches_total", r#"subgraph="cart""#);
        anyhow::Ok((loms.await?, cart.await?))
    };
    // Each payment is a fetch too; it is no frame's.
    let before = fetches().await?;
    let happen = async |number: usize| bench.pay(&orders[number]).await;
    let router = bench.shop.router()?;
    let cost = crowd.broadcast(router, bench.sizes.events, happen).await?;
    let after = fetches().await?;
    let events = count_of(bench.sizes.events + 1);
    let missing = crowd.frames.without_order();
    crowd.is_whole()?;
    crowd.leave().await;
    bench.add(Row::goal(
        format!("{name}: one event, p99"),
        "ms",
        cost.p99,
        250.0,
    ));
    bench.add(Row::goal(
        format!("{name}: fetches an event, loms"),
        "",
        (after.0 - before.0) / events - 1.0,
        1.0,
    ));
    bench.add(Row::goal(
        format!("{name}: fetches an event, cart"),
        "",
        (after.1 - before.1) / events,
        1.0,
    ));
    bench.add(Row::goal(
        format!("{name}: frames without it"),
        "",
        count_of(missing),
        0.0,
    ));
    Ok(())
}

/// Gathers a crowd, and says what each of it takes; with it, what the router had before.
async fn settle(
    bench: &mut Bench<'_>,
    wishes: &[Wish],
    size: usize,
    name: &str,
    goal: f64,
) -> anyhow::Result<(Crowd, f64)> {
    Crowd::warm(wishes).await?;
    bench.shop.has_open(0).await?;
    sleep(SETTLED).await;
    let router = bench.shop.router()?;
    let before = router.resident()?;
    let crowd = Crowd::gather(wishes, size).await?;
    bench.shop.has_open(size).await?;
    sleep(SETTLED).await;
    let each = (router.resident()? - before) / count_of(size);
    bench.add(Row::goal(
        format!("{name}: memory of each"),
        "KiB",
        each,
        goal,
    ));
    Ok((crowd, before))
}
