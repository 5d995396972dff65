//! A database that stands still, goes away, or serves no writes: what it costs, and that it costs no order.

use std::{net::SocketAddr, time::Duration};

use chassis::{
    clock::Clock,
    config::Secret,
    fault::Coded as _,
    health::Health,
    postgres::{self, Config, DatabaseConnection, Probe, within},
    service::{self, Database},
    tasks::Tasks,
};
use loms::order::{Error, Orders};
use schema::code::ErrorCode;
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use testkit::{FreezingProxy, eventually};
use url::Url;

use crate::shop::{ORDER_TTL, PATIENCE, SKU, Shop, buyer, keyed, lines, user};

/// The longest wait for something to happen.
const LIMIT: Duration = Duration::from_secs(30);

/// Settings for the shop's database behind a proxy, with times that a test can wait for.
fn behind(proxy: SocketAddr, shop: &Shop) -> Config {
    let mut url = Url::parse(&shop.database.url).unwrap();
    url.set_ip_host(proxy.ip()).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    Config {
        url: Secret::new(url.to_string()),
        statement_timeout: Duration::from_secs(2),
        idle_in_transaction_timeout: Duration::from_millis(500),
        ..Config::default()
    }
}

fn server(shop: &Shop) -> SocketAddr {
    let url = Url::parse(&shop.database.url).unwrap();
    url.socket_addrs(|| None).unwrap()[0]
}

async fn connect(config: &Config, shop: &Shop) -> DatabaseConnection {
    postgres::connect(config, &shop.database.name)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_freezes_in_a_transaction_costs_its_group_and_no_later_order() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let proxy = FreezingProxy::start(server(&shop)).await;
    let db = connect(&behind(proxy.address, &shop), &shop).await;
    let tasks = Tasks::new();
    let orders = Orders::new(db, shop.clock.clone(), None, ORDER_TTL).grouped(64, PATIENCE, &tasks);
    let (caller, wanted) = (keyed(1, "frozen"), lines(&[(SKU, 1)]));
    let held = shop.hold(SKU).await;
    let frozen = orders.create(&caller, user(1), &wanted);
    let freeze = async {
        shop.until_blocked().await;
        proxy.freeze();
        held.rollback().await.unwrap();
    };
    let (frozen, ()) = tokio::join!(frozen, freeze);
    assert_eq!(frozen.unwrap_err().code(), ErrorCode::Unavailable);
    let other = buyer(2);
    eventually("orders are taken again", LIMIT, async || {
        orders.create(&other, user(2), &wanted).await.ok()
    })
    .await;
    let again = orders.create(&caller, user(1), &wanted).await.unwrap();
    assert!(!again.replayed, "the frozen one was never committed");
    let repeat = orders.create(&caller, user(1), &wanted).await.unwrap();
    assert!(repeat.replayed && repeat.value == again.value);
    assert_eq!(shop.stock(SKU).await, (10, 2));
    shop.assert_ledger_adds_up().await;
    tasks.token().cancel();
}

/// Seen red with connections that go back to the pool as they are: each that froze kept a place.
#[tokio::test(flavor = "multi_thread")]
async fn frozen_connections_keep_no_place_of_the_pool() {
    let shop = Shop::empty().await;
    let proxy = FreezingProxy::start(server(&shop)).await;
    let config = Config {
        max_connections: 2,
        ..behind(proxy.address, &shop)
    };
    let db = connect(&config, &shop).await;
    for _ in 0..4 {
        db.execute_unprepared("select 1").await.unwrap();
        // Its reader leaves in the middle of the statement, and only then does the connection freeze.
        let left = db.execute_unprepared("select pg_sleep(1.5)");
        tokio::time::timeout(Duration::from_millis(50), left)
            .await
            .unwrap_err();
        proxy.freeze();
    }
    eventually("a new connection answers", LIMIT, async || {
        db.execute_unprepared("select 1").await.ok()
    })
    .await;
}

/// Source: SQLSTATE 25006, `read_only_sql_transaction`. Seen red with a pool that stayed on the connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_leaves_a_server_that_serves_no_writes() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let config = Config {
        max_connections: 1,
        ..behind(server(&shop), &shop)
    };
    let db = connect(&config, &shop).await;
    // As the sessions of a primary that was demoted: what was opened before writes no more.
    let demote = "set session characteristics as transaction read only";
    db.execute_unprepared(demote).await.unwrap();
    let orders = Orders::new(db, shop.clock.clone(), None, ORDER_TTL);
    let (caller, wanted) = (buyer(1), lines(&[(SKU, 1)]));
    let refused = orders.create(&caller, user(1), &wanted).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Unavailable, "{refused:?}");
    orders.create(&caller, user(1), &wanted).await.unwrap();
}

/// The pool itself would wait for `acquire_timeout`.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_known_to_be_away_nobody_waits_for_it() {
    let shop = Shop::empty().await;
    let away = Config {
        acquire_timeout: Duration::from_secs(60),
        ..behind(SocketAddr::from(([127, 0, 0, 1], 1)), &shop)
    };
    let db = connect(&away, &shop).await;
    Probe::new(db.clone(), Clock::system())
        .ask()
        .await
        .unwrap_err();
    let orders = Orders::new(db, shop.clock.clone(), None, ORDER_TTL);
    let (caller, wanted) = (buyer(1), lines(&[(SKU, 1)]));
    let create = orders.create(&caller, user(1), &wanted);
    // A fraction of what the pool would wait.
    let refused = tokio::time::timeout(Duration::from_secs(20), create).await;
    let refused = refused.unwrap().unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Unavailable, "{refused:?}");
}

/// Readiness asks on a connection of its own, and finds both that a connection is dead and that the server is not.
#[tokio::test(flavor = "multi_thread")]
async fn the_probe_outlives_the_connection_that_it_asks_on() {
    let shop = Shop::empty().await;
    let proxy = FreezingProxy::start(server(&shop)).await;
    let pool = connect(&behind(proxy.address, &shop), &shop).await;
    let (tasks, health) = (Tasks::new(), Health::new());
    let name = shop.database.name.clone();
    let database = Database {
        name,
        pool: pool.clone(),
    };
    service::start_probe(vec![database], health.component("postgres"), None, &tasks);
    eventually("it is ready", LIMIT, async || {
        health.is_ready().then_some(())
    })
    .await;
    proxy.freeze();
    eventually("a new connection answers", LIMIT, async || {
        let read = within(&pool, pool.execute_unprepared("select 1"));
        read.await.ok()
    })
    .await;
    assert!(health.is_ready(), "the server takes new connections");
    tasks.token().cancel();
}

/// What a server does to a session that stands still in a transaction, as that of a stopped process does.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_stands_still_is_ended_and_frees_its_rows() {
    let shop = Shop::with_stock(&[(SKU, 10)]).await;
    let db = connect(&behind(server(&shop), &shop), &shop).await;
    let stopped = db.begin().await.unwrap();
    let lock = format!("select 1 from stocks where sku = {SKU} for update");
    stopped.execute_unprepared(&lock).await.unwrap();
    shop.ordered(1, &[(SKU, 1)]).await;
    let late = within(&db, async {
        stopped.execute_unprepared("select 1").await?;
        Ok::<_, Error>(())
    });
    assert_eq!(late.await.unwrap_err().code(), ErrorCode::Unavailable);
}
