//! What the benchmark runs on: a new Postgres cluster with fsync, the order service's schema, a real Kafka.

use std::time::Duration;

use anyhow::Context as _;
use chassis::clock::Clock;
use chassis::config::Secret;
use chassis::postgres::{self, Config, DatabaseConnection};
use chassis::tasks::Tasks;
use dev_services::account::Account;
use dev_services::kafka::{self, Kafka};
use dev_services::postgres::{Cluster, Durability, Settings};
use dev_services::state::StateDir;
use dev_services::{Progress, environment};
use loms::order::Orders;
use migrations::Database;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement, TransactionTrait as _};
use tempfile::TempDir;
use tokio::time::sleep;

/// The SKUs in stock: `FIRST_SKU` and the ones after it.
pub(crate) const FIRST_SKU: i64 = 1;
pub(crate) const SKUS: i64 = 1_000;
/// Units of each SKU: more than a run can sell.
const UNITS: i64 = 2_000_000_000;
/// The order service's default queue length.
const QUEUE: usize = 4_096;
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Stores that this run starts and stops.
pub(crate) struct Fixture {
    pub(crate) db: DatabaseConnection,
    pub(crate) kafka: chassis::kafka::Config,
    cluster: Cluster,
    broker: Kafka,
    _state: StateDir,
    _folder: TempDir,
}

impl Fixture {
    /// Starts both stores, applies the migrations and stocks the SKUs.
    ///
    /// # Errors
    /// When one cannot be started.
    pub(crate) async fn prepare() -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("bench-orders-")?;
        let state = StateDir::open(folder.path())?;
        let account = Account::for_postgres()?;
        let cache = environment::cache_dir().unwrap_or_else(|| folder.path().join("cache"));
        let progress = Progress::new(|_, _| {});
        let cluster = Settings {
            dir: state.for_account("postgres", account)?,
            log: state.log("postgres"),
            port: 0,
            pg_bin: environment::pg_bin(),
            cache: cache.clone(),
            account,
            durability: Durability::Fsync,
            cleanup: None,
        };
        let broker = kafka::Settings {
            dir: folder.path().join("kafka"),
            log: state.log("kafka"),
            port: 0,
            cache,
            cleanup: None,
            member: None,
        };
        let starting = (
            Cluster::start(cluster, &progress),
            Kafka::start(broker, &progress),
        );
        let (cluster, broker) = tokio::try_join!(starting.0, starting.1)?;
        migrations::create_databases(cluster.url()).await?;
        let config = Config {
            url: Secret::new(cluster.url().to_owned()),
            // A client of the benchmark waits for a connection as long as it takes.
            acquire_timeout: Duration::from_secs(600),
            ..Config::default()
        };
        let db = postgres::connect(&config, "loms").await?;
        migrations::up(&db, Database::Loms).await?;
        let kafka = chassis::kafka::Config {
            brokers: broker.brokers().to_owned(),
            ..chassis::kafka::Config::default()
        };
        chassis::kafka::ensure_topic(&kafka).await?;
        let fixture = Self {
            db,
            kafka,
            cluster,
            broker,
            _state: state,
            _folder: folder,
        };
        fixture.stock(FIRST_SKU, SKUS, UNITS).await?;
        Ok(fixture)
    }

    /// Stocks `units` of each of `count` SKUs, from `first` on.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn stock(&self, first: i64, count: i64, units: i64) -> anyhow::Result<()> {
        let last = first + count - 1;
        let sql = format!(
            "insert into stocks (sku, total, reserved, baseline_total)
             select sku, {units}, 0, {units} from generate_series({first}, {last}) as sku"
        );
        self.db.execute_unprepared(&sql).await?;
        Ok(())
    }

    /// The order use cases, with group commit or without.
    pub(crate) fn orders(
        &self,
        grouped: bool,
        relay: Option<outbox::RelayHandle>,
        tasks: &Tasks,
    ) -> Orders {
        let ttl = Duration::from_secs(3_600);
        let orders = Orders::new(self.db.clone(), Clock::system(), relay, ttl);
        if grouped {
            orders.grouped(QUEUE, Duration::from_secs(10), tasks)
        } else {
            orders
        }
    }

    /// Waits until no event is unsent.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn until_sent(&self) -> anyhow::Result<()> {
        let sql = "select exists (select from outbox where sent_at is null)";
        loop {
            let asked = Statement::from_string(DbBackend::Postgres, sql);
            let row = self.db.query_one_raw(asked).await?.context("a row")?;
            if !row.try_get_by_index::<bool>(0)? {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Marks every unsent event as sent, so that the relay leaves it alone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn forget_unsent(&self) -> anyhow::Result<()> {
        let sql = "update outbox set sent_at = now() where sent_at is null";
        // So many rows take longer than the statement timeout.
        let tx = self.db.begin().await?;
        tx.execute_unprepared("set local statement_timeout = 0")
            .await?;
        tx.execute_unprepared(sql).await?;
        tx.commit().await?;
        self.db.execute_unprepared("vacuum analyze outbox").await?;
        Ok(())
    }

    /// Stops both stores.
    pub(crate) async fn stop(self) {
        tokio::join!(self.broker.stop(STOP_LIMIT), self.cluster.stop(STOP_LIMIT));
    }
}

/// The processor's name, or `unknown`.
pub(crate) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let name = name.map(|rest| rest.trim_start_matches([' ', '\t', ':']));
    name.unwrap_or("unknown").to_owned()
}
