//! The servers behind the tests, shared by a run or started for one test binary.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use dev_services::account::Account;
use dev_services::child::STOP_LIMIT;
use dev_services::postgres::{Cluster, Durability};
use dev_services::state::StateDir;
use dev_services::{Progress, environment, kafka, postgres};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The variable with the URL of a running server, as a superuser.
pub(crate) const POSTGRES_URL: &str = "TEST_POSTGRES_URL";
/// The variable with the addresses of a running broker.
pub(crate) const KAFKA_BROKERS: &str = "TEST_KAFKA_BROKERS";

/// Both servers of one run, on free ports, in a temporary folder that ends with them.
#[derive(Debug)]
pub struct Services {
    cluster: Cluster,
    kafka: kafka::Kafka,
    state: StateDir,
}

impl Services {
    /// Starts both at the same time.
    ///
    /// # Errors
    /// When one of them cannot be found, fetched or started.
    pub async fn start(progress: &Progress) -> anyhow::Result<Self> {
        let state = temporary_state()?;
        let cluster = Cluster::start(postgres_settings(&state)?, progress);
        let kafka = kafka::Kafka::start(kafka_settings(&state), progress);
        let (cluster, kafka) = tokio::try_join!(cluster, kafka)?;
        Ok(Self {
            cluster,
            kafka,
            state,
        })
    }

    /// The variables that make test binaries use these servers.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 2] {
        [
            (POSTGRES_URL, self.cluster.url().to_owned()),
            (KAFKA_BROKERS, self.kafka.brokers().to_owned()),
        ]
    }

    /// Stops both and removes their files.
    pub async fn stop(self) {
        tokio::join!(self.cluster.stop(STOP_LIMIT), self.kafka.stop(STOP_LIMIT));
        for folder in [self.state.root(), self.state.system()] {
            if folder.exists()
                && let Err(error) = std::fs::remove_dir_all(folder)
            {
                tracing::debug!(%error, folder = %folder.display(), "cannot remove a test folder");
            }
        }
    }
}

/// The URL of a server on which tests may create databases.
///
/// # Panics
/// When none is running and none can be started.
pub async fn postgres_url() -> &'static str {
    static URL: OnceCell<String> = OnceCell::const_new();
    URL.get_or_init(|| async {
        if let Some(url) = variable(POSTGRES_URL) {
            return url;
        }
        let started = async {
            let state = temporary_state()?;
            let cluster = Cluster::start(postgres_settings(&state)?, &Progress::silent()).await?;
            anyhow::Ok((cluster, state))
        };
        let (cluster, state) = started.await.expect("PostgreSQL for the tests starts");
        let url = cluster.url().to_owned();
        keep_until_exit((cluster, state));
        url
    })
    .await
}

/// Starts a broker in a folder of its own that ends with this process.
pub(crate) async fn start_kafka() -> anyhow::Result<(kafka::Kafka, StateDir)> {
    let state = temporary_state()?;
    let kafka = kafka::Kafka::start(kafka_settings(&state), &Progress::silent()).await?;
    Ok((kafka, state))
}

/// Never drops `value`: a dropped service stops, and the watchdog ends it with the process.
pub(crate) fn keep_until_exit<T: 'static>(value: T) {
    Box::leak(Box::new(value));
}

pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the message of `make test` to its test binaries"
    )]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(crate) fn temporary_state() -> anyhow::Result<StateDir> {
    let folder =
        std::env::temp_dir().join(format!("marketplace-tests-{}", Uuid::new_v4().simple()));
    StateDir::open(&folder).context("making a temporary folder for the test services")
}

pub(crate) fn postgres_settings(state: &StateDir) -> anyhow::Result<postgres::Settings> {
    let account = Account::for_postgres()?;
    let dir = state.for_account("postgres", account)?;
    Ok(postgres::Settings {
        log: state.log("postgres"),
        port: 0,
        pg_bin: environment::pg_bin(),
        cache: cache(),
        account,
        durability: Durability::Volatile,
        cleanup: Some(root_of(state, &dir)),
        dir,
    })
}

fn kafka_settings(state: &StateDir) -> kafka::Settings {
    let dir = state.root().join("kafka");
    let log = state.log("kafka");
    kafka::Settings {
        dir,
        log,
        port: 0,
        cache: cache(),
        cleanup: Some(state.root().to_owned()),
        member: None,
    }
}

fn root_of(state: &StateDir, dir: &Path) -> PathBuf {
    if dir.starts_with(state.root()) {
        state.root().to_owned()
    } else {
        state.system().to_owned()
    }
}

fn cache() -> PathBuf {
    environment::cache_dir().unwrap_or_else(|| std::env::temp_dir().join("marketplace-cache"))
}
