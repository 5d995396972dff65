//! Postgres and Kafka: external ones when an address is given, private ones otherwise.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use chassis::config::Secret;
use chassis::tasks::Tasks;
use chassis::{kafka as topic, postgres as database};
use dev_services::account::Account;
use dev_services::kafka::{self, Kafka, cluster, member};
use dev_services::postgres::{self, Cluster, Durability};
use dev_services::state::StateDir;
use dev_services::{Error, Progress, environment};

use super::mock::Mock;
use super::relay::Relay;
use super::restart::{Backoff, keep_running};
use crate::settings::{Broker, DatabaseRoles, Settings, is_default};
use crate::signals::StopSignals;

/// How long each store may take to stop; both stop at the same time, after the services.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// One store, ready to use.
#[derive(Debug)]
pub(crate) struct Store {
    /// Its address; for Postgres a URL with the password.
    pub(crate) address: String,
    /// What it is and how it is stored, for the banner.
    pub(crate) note: String,
    /// The processes to measure, when it is ours.
    pub(crate) pids: Vec<u32>,
}

/// The stores of one `up`. A private one that dies is started again.
#[derive(Debug)]
pub(crate) struct Stores {
    /// The Postgres server.
    pub(crate) postgres: Store,
    /// The Kafka brokers.
    pub(crate) kafka: Store,
    /// What the services reach a Postgres of our own over, where the settings ask for it.
    pub(crate) relay: Option<Relay>,
    tasks: Tasks,
    mock: Option<Mock>,
}

/// Who runs the brokers.
enum Brokers {
    /// Not this `up`.
    External,
    /// Child processes of this `up`.
    Processes(Vec<Kafka>),
    /// This process itself.
    Mock(Mock),
}

impl Stores {
    /// Finds or starts both concurrently.
    ///
    /// # Errors
    /// When one is missing, cannot start, or does not answer.
    ///
    /// # Cancel safety
    /// Dropping the future leaves no process behind.
    pub(crate) async fn start(
        settings: &Settings,
        state: &StateDir,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let tasks = Tasks::new();
        let postgres = start_postgres(settings, state, progress);
        let kafka = start_kafka(settings, state, progress);
        let ((postgres, cluster), (kafka, brokers)) = tokio::try_join!(postgres, kafka)?;
        if let Some(cluster) = cluster {
            let backoff = Backoff::up_to(settings.up.restart_pause_max);
            tasks.spawn(
                "postgres",
                keep_running(cluster, tasks.token(), STOP_LIMIT, backoff),
            );
        }
        let mock = match brokers {
            Brokers::External => None,
            Brokers::Processes(brokers) => {
                for broker in brokers {
                    let backoff = Backoff::up_to(settings.up.restart_pause_max);
                    let running = keep_running(broker, tasks.token(), STOP_LIMIT, backoff);
                    tasks.spawn("kafka", running);
                }
                None
            }
            Brokers::Mock(mock) => Some(mock),
        };
        let is_ours = !postgres.pids.is_empty();
        let relay = if is_ours && settings.has_relay() {
            Some(Relay::start(&postgres.address, &tasks).await?)
        } else {
            None
        };
        Ok(Self {
            postgres,
            kafka,
            relay,
            tasks,
            mock,
        })
    }

    /// Whether the broker is the mock.
    pub(crate) const fn is_mock(&self) -> bool {
        self.mock.is_some()
    }

    /// The same settings with the addresses of these stores, and with the passwords of the services' roles on a server of
    /// `up`'s own.
    ///
    /// # Errors
    /// When the passwords cannot be kept in the state folder.
    pub(crate) fn point_to(
        &self,
        mut settings: Settings,
        state: &StateDir,
    ) -> anyhow::Result<Settings> {
        let relay = self.relay.as_ref().map(Relay::url);
        let postgres = relay.unwrap_or(&self.postgres.address);
        settings.postgres.url = Secret::from(postgres.to_owned());
        settings.kafka.brokers.clone_from(&self.kafka.address);
        let is_ours = !self.postgres.pids.is_empty();
        if is_ours && settings.database_roles.passwords().is_empty() {
            settings.database_roles = DatabaseRoles::load_or_create(state.root())?;
        }
        Ok(settings)
    }

    /// Stops the private ones. A signal ends the wait; the watchdogs then finish the work.
    pub(crate) async fn stop(&self, signals: &mut StopSignals) {
        tokio::select! {
            late = self.tasks.shutdown(STOP_LIMIT + Duration::from_secs(1)) => {
                for name in late {
                    tracing::warn!(store = name, "did not stop in time");
                }
            }
            () = signals.next() => {}
        }
    }
}

/// The address of an external Postgres: `DATABASE_URL`, else a `postgres.url` that is not the default.
pub(crate) fn external_postgres(settings: &Settings) -> Option<String> {
    let plain = database::Config::default().url;
    let set = !is_default(&settings.postgres.url, &plain);
    environment::database_url().or_else(|| set.then(|| settings.postgres.url.expose().to_owned()))
}

/// The address of an external Kafka: `KAFKA_BROKERS`, else a `kafka.brokers` that is not the default.
pub(crate) fn external_kafka(settings: &Settings) -> Option<String> {
    let set = settings.kafka.brokers != topic::Config::default().brokers;
    environment::kafka_brokers().or_else(|| set.then(|| settings.kafka.brokers.clone()))
}

/// Whether `up` starts the mock broker.
pub(crate) fn is_mock(settings: &Settings) -> bool {
    settings.up.broker == Broker::Mock && external_kafka(settings).is_none()
}

/// Where fetched jars and binaries are kept: in the user's cache, so that a second clone needs no download.
pub(crate) fn cache(settings: &Settings) -> PathBuf {
    environment::cache_dir().unwrap_or_else(|| {
        let folder = settings.state_dir.join("cache");
        std::path::absolute(&folder).unwrap_or(folder)
    })
}

/// Whether a Postgres that somebody named serves.
///
/// # Errors
/// What is wrong with the address, or that nobody responds there.
pub(crate) async fn reach_postgres(settings: &Settings, address: &str) -> anyhow::Result<()> {
    const NAMED: &str = "the Postgres in DATABASE_URL or postgres.url";
    let given = database::Config {
        url: Secret::from(address.to_owned()),
        ..settings.postgres.clone()
    };
    let serving = database::primary_url(&given).await.context(NAMED)?;
    if !postgres::answers(serving.expose()).await {
        bail!("{NAMED} does not respond within 2 s");
    }
    Ok(())
}

/// Whether a Kafka that somebody named serves.
///
/// # Errors
/// That nobody responds there.
pub(crate) async fn reach_kafka(address: &str) -> anyhow::Result<()> {
    // Any of them: one may be away.
    for broker in address.split(',') {
        if kafka::answers_metadata(broker.trim()).await {
            return Ok(());
        }
    }
    bail!("the Kafka at {address} (KAFKA_BROKERS or kafka.brokers) does not respond")
}

async fn start_postgres(
    settings: &Settings,
    state: &StateDir,
    progress: &Progress,
) -> anyhow::Result<(Store, Option<Cluster>)> {
    if let Some(address) = external_postgres(settings) {
        progress.say(
            "postgres",
            "using the server in DATABASE_URL or postgres.url",
        );
        reach_postgres(settings, &address).await?;
        let note = "external, not started by `up`".to_owned();
        return Ok((
            Store {
                address,
                note,
                pids: Vec::new(),
            },
            None,
        ));
    }
    let account = Account::for_postgres()?;
    let cluster_settings = postgres::Settings {
        dir: state.for_account("postgres", account)?,
        log: state.log("postgres"),
        port: settings.up.postgres_port,
        pg_bin: environment::pg_bin(),
        cache: cache(settings),
        account,
        durability: Durability::Fsync,
        cleanup: None,
    };
    let cluster = Cluster::start(cluster_settings, progress).await?;
    let binaries = cluster.binaries();
    let note = format!(
        "private cluster, version {} from {}; fsync on; data in\n{}",
        binaries.major,
        binaries.source,
        cluster.data().display()
    );
    let store = Store {
        address: cluster.url().to_owned(),
        note,
        pids: vec![cluster.pid()],
    };
    Ok((store, Some(cluster)))
}

async fn start_kafka(
    settings: &Settings,
    state: &StateDir,
    progress: &Progress,
) -> anyhow::Result<(Store, Brokers)> {
    if let Some(address) = external_kafka(settings) {
        progress.say(
            "kafka",
            "using the brokers in KAFKA_BROKERS or kafka.brokers",
        );
        reach_kafka(&address).await?;
        let note = "external, not started by `up`".to_owned();
        return Ok((
            Store {
                address,
                note,
                pids: Vec::new(),
            },
            Brokers::External,
        ));
    }
    if is_mock(settings) {
        let mock = Mock::start(&settings.kafka)?;
        let store = Store {
            address: mock.brokers(),
            note: mock.note(),
            pids: Vec::new(),
        };
        return Ok((store, Brokers::Mock(mock)));
    }
    let root = state.root();
    let count = usize::from(settings.up.brokers);
    let single = root.join("kafka");
    other_layout(root, count)?;
    let started = if count == 1 {
        let settings = kafka::Settings {
            dir: single,
            log: state.log("kafka"),
            port: settings.up.kafka_port,
            cache: cache(settings),
            cleanup: None,
            member: None,
        };
        Kafka::start(settings, progress)
            .await
            .map(|broker| vec![broker])
    } else {
        let place = cluster::Place {
            root,
            run: root.join("run"),
            port: settings.up.kafka_port,
            cache: cache(settings),
        };
        cluster::start(&place, count, progress).await
    };
    let brokers = match started {
        Ok(brokers) => brokers,
        Err(error @ Error::Missing { .. }) => bail!(
            "{error}; or look around without it: marketplace up --broker mock (keeps no event)"
        ),
        Err(error) => return Err(error.into()),
    };
    let addresses: Vec<&str> = brokers.iter().map(Kafka::brokers).collect();
    let store = Store {
        address: addresses.join(","),
        note: kafka_note(root, count),
        pids: brokers.iter().map(Kafka::pid).collect(),
    };
    Ok((store, Brokers::Processes(brokers)))
}

/// What the private Kafka is and how it keeps events, for the banner.
fn kafka_note(root: &Path, brokers: usize) -> String {
    let version = kafka::VERSION;
    if brokers == 1 {
        let data = root.join("kafka/data");
        return format!(
            "a real Apache Kafka {version}, one node, replication 1:\n\
             safe against kill -9 of any process, not against power loss; data in\n{}",
            data.display()
        );
    }
    let (copies, insync) = (member::copies(brokers), member::insync(brokers));
    format!(
        "a real Apache Kafka {version}, {brokers} nodes, {copies} copies, {insync} before an acknowledgement:\n\
         safe against the loss of {} of them, data and all; data in\n{}",
        copies - insync,
        root.join("kafka-N/data").display()
    )
}

/// Refuses to start other brokers than those that have this folder's events: the topics would be empty.
fn other_layout(root: &Path, brokers: usize) -> anyhow::Result<()> {
    let has = |name: &str| root.join(name).join("data/meta.properties").exists();
    let other = if brokers == 1 {
        has("kafka-1").then_some("several brokers")
    } else {
        has("kafka").then_some("one broker")
    };
    if let Some(other) = other {
        bail!(
            "the events of this folder are with {other}, and up.brokers is {brokers}: start it as before, use another \
             folder (--state-dir), or delete this one's data (marketplace clean-data)"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_to_the_brokers_that_have_its_events() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        other_layout(root, 1).unwrap();
        other_layout(root, 3).unwrap();
        std::fs::create_dir_all(root.join("kafka/data")).unwrap();
        std::fs::write(root.join("kafka/data/meta.properties"), "").unwrap();
        other_layout(root, 1).unwrap();
        let refused = other_layout(root, 3).unwrap_err().to_string();
        assert!(refused.contains("clean-data"), "{refused}");
    }

    /// What is no address of a Postgres was once said not to respond.
    #[tokio::test]
    async fn an_address_that_is_none_is_named_as_such_and_not_shown() {
        for (address, reason) in [
            ("hidden", "is not a valid URL"),
            ("mysql://u:hidden@127.0.0.1/db", "its scheme is mysql"),
            ("sqlite://hidden.db", "its scheme is sqlite"),
        ] {
            let refused = reach_postgres(&Settings::default(), address).await;
            let refused = format!("{:#}", refused.unwrap_err());
            assert!(refused.contains("DATABASE_URL"), "{refused}");
            assert!(refused.contains(reason), "{refused}");
            assert!(!refused.contains("hidden"), "{refused}");
        }
    }
}
