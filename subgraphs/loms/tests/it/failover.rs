//! A Postgres with a standby loses its primary: who finds the new one, and that nothing acknowledged is lost.

use std::{collections::BTreeMap, time::Duration};

use chassis::{
    clock::Clock,
    config::Secret,
    fault::Coded as _,
    health::Health,
    kafka,
    postgres::{self, Config, DatabaseConnection},
    service::{self, Database},
    tasks::Tasks,
};
use loms::order::{Error, Orders};
use schema::{code::ErrorCode, id::OrderId};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use testkit::{Patroni, Replicated, eventually};
use tokio::time::Instant;

use crate::shop::{ORDER_TTL, SKU, keyed, lines, user};

/// The longest wait for something to happen.
const LIMIT: Duration = Duration::from_secs(60);
const STOCK: i64 = 1_000;

/// What one process has: a pool, its probe, the relay, and the use cases.
struct Process {
    db: DatabaseConnection,
    orders: Orders,
    health: Health,
    tasks: Tasks,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

fn config(url: String) -> Config {
    Config {
        url: Secret::new(url),
        statement_timeout: Duration::from_secs(2),
        ..Config::default()
    }
}

impl Process {
    async fn start(url: String, topic: &str) -> Self {
        let db = postgres::connect(&config(url), "loms").await.unwrap();
        let (tasks, health) = (Tasks::new(), Health::new());
        let database = Database {
            name: "loms".to_owned(),
            pool: db.clone(),
        };
        service::start_probe(vec![database], health.component("postgres"), None, &tasks);
        let kafka = kafka::Config {
            brokers: testkit::kafka().await.to_owned(),
            topic: topic.to_owned(),
            ..kafka::Config::default()
        };
        let (clock, settings) = (Clock::system(), outbox::relay::Config::default());
        let relay = outbox::Relay::start(
            settings,
            db.clone(),
            kafka,
            &[],
            clock.clone(),
            &tasks,
            &health,
        );
        let orders = Orders::new(db.clone(), clock, Some(relay), ORDER_TTL);
        let orders = orders.grouped(64, Duration::from_secs(10), &tasks);
        Self {
            db,
            orders,
            health,
            tasks,
        }
    }

    async fn order(&self, key: i64) -> Result<(OrderId, bool), Error> {
        let caller = keyed(key, &format!("failover-{key}"));
        let made = self
            .orders
            .create(&caller, user(key), &lines(&[(SKU, 1)]))
            .await?;
        Ok((made.value.order.unwrap().id, made.replayed))
    }

    async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let row = self.db.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    /// The port of the server that the pool talks to.
    async fn port(&self) -> i64 {
        self.number("select inet_server_port()::bigint").await
    }
}

/// Makes the database of the order service on the primary.
async fn migrated(url: &str) {
    let config = config(url.to_owned());
    let server = postgres::primary_url(&config).await.unwrap();
    migrations::create_databases(server.expose()).await.unwrap();
    let db = postgres::connect(&config, "loms").await.unwrap();
    migrations::up(&db, migrations::Database::Loms)
        .await
        .unwrap();
    let put = format!(
        "insert into stocks (sku, total, reserved, baseline_total, baseline_reserved)
         values ({SKU}, {STOCK}, 0, {STOCK}, 0)"
    );
    db.execute_unprepared(&put).await.unwrap();
    db.close().await.unwrap();
}

/// Seen red with an old primary that is taken because it comes first.
#[tokio::test(flavor = "multi_thread")]
async fn a_failover_is_found_without_a_restart_and_loses_nothing() {
    let mut servers = Replicated::start().await;
    migrated(&servers.url_backwards("")).await;
    let topic = testkit::topic(2).await;
    // The read-only host comes first.
    let process = Process::start(servers.url_backwards(""), &topic).await;
    let mut acknowledged = BTreeMap::new();
    for key in 1..=20 {
        acknowledged.insert(key, process.order(key).await.unwrap().0);
    }
    assert_eq!(process.port().await, i64::from(servers.primary_port()));

    servers.kill_primary().await;
    let refused = process.order(21).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Unavailable, "{refused:?}");
    servers.promote().await;
    let promoted = Instant::now();
    acknowledged.insert(21, taken(&process, 21).await);
    let found = promoted.elapsed();
    println!("orders are taken again {found:?} after the promotion");
    assert_eq!(process.port().await, i64::from(servers.standby_port()));
    // Keys answer what they answered, and each order is there once.
    for (key, id) in &acknowledged {
        assert_eq!(process.order(*key).await.unwrap(), (*id, true));
    }
    assert_eq!(process.number("select count(*) from orders").await, 21);
    let sold = format!("select reserved from stocks where sku = {SKU}");
    assert_eq!(process.number(&sold).await, 21);
    eventually("the relay leads on the new primary", LIMIT, async || {
        let unsent = "select count(*) from outbox where sent_at is null";
        (process.number(unsent).await == 0).then_some(())
    })
    .await;
    assert!(process.health.is_ready());

    // The old primary wakes up, fenced by nobody: whoever starts now passes it over, although it comes first and takes writes.
    servers.restart_primary().await;
    let later = Process::start(servers.url(""), &topic).await;
    assert_eq!(later.port().await, i64::from(servers.standby_port()));
    later.order(22).await.unwrap();
    assert_eq!(process.number("select count(*) from orders").await, 22);
    drop((process, later));
    servers.stop().await;
}

/// What waits for a standby is in doubt, and neither seen nor sent meanwhile: a failover may lose it. `statement_timeout` does not
/// end that wait. Seen red with a primary that waits for nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_no_standby_has_is_not_acknowledged() {
    let mut servers = Replicated::start().await;
    migrated(&servers.url_backwards("")).await;
    let process = Process::start(servers.url(""), &testkit::topic(2).await).await;
    process.order(1).await.unwrap();
    servers.stop_standby().await;
    let error = process.order(2).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable, "{error:?}");
    let seen = process.number("select count(*) from orders").await;
    assert_eq!(seen, 1, "what no standby has is not to be seen, nor sent");
    drop(process);
    servers.stop().await;
}

/// How often the primary's machine dies; `PATRONI_KILLS=20` for a record.
fn kills() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a record takes is for whoever makes it to say"
    )]
    let asked = std::env::var("PATRONI_KILLS");
    asked.ok().and_then(|it| it.parse().ok()).unwrap_or(2)
}

/// Under the engine by which operators run it, a machine that dies is replaced without anybody's doing. The whole pause is its
/// lease, which ends eight seconds after it was renewed last, and what a service takes to find the other.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it waits for leases, with nothing else on the machine: make test-patroni"]
async fn under_patroni_a_machine_that_dies_is_replaced_and_nothing_acknowledged_is_lost() {
    let Some(mut servers) = Patroni::start().await else {
        println!("SKIPPED: Patroni and etcd are not installed");
        return;
    };
    migrated(&servers.url("")).await;
    let process = Process::start(servers.url(""), &testkit::topic(2).await).await;
    let mut acknowledged = BTreeMap::new();
    let mut pauses = Vec::new();
    for kill in 0..kills() {
        let keys = kill * 10 + 1..=kill * 10 + 10;
        for key in keys {
            // In the middle of the orders, so that one is likely under way.
            if key % 10 == 5 {
                let primary = servers.primary().await.expect("a primary");
                servers.kill(primary).await;
                let died = Instant::now();
                acknowledged.insert(key, taken(&process, key).await);
                pauses.push(died.elapsed());
                servers.restart(primary);
                servers.wait_synchronous().await;
            } else {
                acknowledged.insert(key, taken(&process, key).await);
            }
        }
    }
    println!("orders are taken again after {pauses:?}");
    for (key, id) in &acknowledged {
        assert_eq!(process.order(*key).await.unwrap(), (*id, true));
    }
    let orders = i64::try_from(acknowledged.len()).unwrap();
    assert_eq!(process.number("select count(*) from orders").await, orders);
    let reserved = format!("select reserved from stocks where sku = {SKU}");
    assert_eq!(process.number(&reserved).await, orders);
    eventually("all events are sent", LIMIT, async || {
        let unsent = "select count(*) from outbox where sent_at is null";
        (process.number(unsent).await == 0).then_some(())
    })
    .await;
    drop(process);
    servers.stop().await;
}

/// The order of this key, which is asked for until it is there; refusals say that it may be asked for again.
async fn taken(process: &Process, key: i64) -> OrderId {
    eventually("an order is taken", LIMIT, async || {
        match process.order(key).await {
            Ok((id, _)) => Some(id),
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::Unavailable, "{error:?}");
                None
            }
        }
    })
    .await
}
