//! `up --processes`: each service is a child process of this same binary, restarted when it dies.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use dev_services::child::{Output, Supervised};
use dev_services::process::{Identity, Signal};
use dev_services::state::StateDir;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use migrations::Database;

use super::restart::Backoff;
use super::stores::Stores;
use crate::cli::{Common, Switch};
use crate::exit::TAKEN;
use crate::services::ServiceHost;
use crate::settings::Settings;

/// How long a child may take to drain before it is killed.
const STOP_LIMIT: Duration = Duration::from_millis(4_300);

/// The services, in the order in which they are started.
const SERVICES: [&str; 6] = [
    "product-service",
    "loms",
    "cart",
    "comments",
    "notifier",
    "router",
];

/// How often in a row a service that once ran may find its port taken: a connection of somebody may have it for a moment.
const TAKEN_AT_MOST: u32 = 5;
/// The brokers of a cluster, as many as there may be.
const BROKERS: [&str; 5] = ["kafka-1", "kafka-2", "kafka-3", "kafka-4", "kafka-5"];

/// The processes of one `up --processes`.
#[derive(Debug)]
pub(crate) struct Fleet {
    run: PathBuf,
}

impl Fleet {
    /// Starts every service; the host's tasks keep them running and stop them. `lost` is cancelled when one of them cannot have
    /// its port.
    ///
    /// # Errors
    /// When this binary's own path is unknown, or a child cannot be started at all.
    pub(crate) fn start(
        host: &ServiceHost,
        state: &StateDir,
        stores: &Stores,
        common: &Common,
        lost: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let run = state.root().join("run");
        std::fs::create_dir_all(&run).with_context(|| format!("making {}", run.display()))?;
        let program = std::env::current_exe().context("finding this program's own path")?;
        for name in SERVICES {
            let service = ChildService {
                name,
                program: program.clone(),
                arguments: arguments(common, state),
                environment: environment(name, &host.settings, stores, state),
                pid_file: run.join(format!("{name}.pid")),
                lost: lost.clone(),
            };
            let child = service.start()?;
            let backoff = Backoff::up_to(host.settings.up.restart_pause_max);
            let running = keep_running(service, child, host.tasks.token(), backoff);
            host.tasks.spawn(name, running);
        }
        Ok(Self { run })
    }

    /// Name and pid of each process that runs now.
    pub(crate) fn pids(&self) -> Vec<(&'static str, u32)> {
        pids(&self.run)
    }
}

/// Name and pid of each service that has left its pid in `folder` and runs now.
pub(super) fn pids(folder: &Path) -> Vec<(&'static str, u32)> {
    running(folder, &SERVICES)
}

/// Name and pid of each broker of a cluster that has left its pid in `folder` and runs now.
pub(super) fn brokers(folder: &Path) -> Vec<(&'static str, u32)> {
    running(folder, &BROKERS)
}

fn running(folder: &Path, names: &[&'static str]) -> Vec<(&'static str, u32)> {
    let find = |name: &'static str| Identity::find_running(&folder.join(format!("{name}.pid")));
    let all = names.iter();
    all.filter_map(|name| Some((*name, find(name)?.pid)))
        .collect()
}

/// Name, pid file, and the signals that end it, of each service that an `up --processes` of this folder has or had.
pub(super) fn pid_files(
    state: &Path,
) -> impl Iterator<Item = (&'static str, PathBuf, Signal, Signal)> {
    let run = state.join("run");
    SERVICES.iter().chain(&BROKERS).map(move |name| {
        let file = run.join(format!("{name}.pid"));
        (*name, file, Signal::Term, Signal::Kill)
    })
}

#[derive(Debug)]
struct ChildService {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    pid_file: PathBuf,
    lost: CancellationToken,
}

impl ChildService {
    fn start(&self) -> anyhow::Result<Supervised> {
        let mut command = Command::new(&self.program);
        command.arg(self.name).args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let child = Supervised::start(self.name, command, Output::Inherit, Signal::Term, None)?;
        child.record(&self.pid_file)?;
        Ok(child)
    }
}

async fn keep_running(
    service: ChildService,
    mut child: Supervised,
    stopping: CancellationToken,
    mut backoff: Backoff,
) {
    // At the first start nobody's port is given back in a moment: it is another program's.
    let (mut taken, mut taken_at_most) = (0, 1);
    loop {
        let status = tokio::select! {
            status = child.wait() => status,
            () = stopping.cancelled() => break,
        };
        taken = if status.code() == Some(TAKEN.into()) {
            taken + 1
        } else {
            0
        };
        if taken >= taken_at_most {
            service.lost.cancel();
            return;
        }
        taken_at_most = TAKEN_AT_MOST;
        tracing::error!(process.name = service.name, %status, "ended by itself, starting it again");
        match start_again(&service, &stopping, &mut backoff).await {
            Some(started) => child = started,
            None => return,
        }
    }
    child.stop(STOP_LIMIT).await;
}

/// Starts a service that has ended, after a while; nothing when all is to stop meanwhile.
async fn start_again(
    service: &ChildService,
    stopping: &CancellationToken,
    backoff: &mut Backoff,
) -> Option<Supervised> {
    loop {
        tokio::select! {
            () = sleep(backoff.next(Instant::now())) => {}
            () = stopping.cancelled() => return None,
        }
        match service.start() {
            Ok(started) => return Some(started),
            Err(error) => {
                tracing::error!(process.name = service.name, %error, "cannot be started");
            }
        }
    }
}

/// What `up` has decided: the console's address and what it needs, and the stores' addresses; of Postgres's a service gets the one for its own role, and one without a database none.
fn environment(
    name: &str,
    settings: &Settings,
    stores: &Stores,
    state: &StateDir,
) -> Vec<(&'static str, String)> {
    let database = match name {
        "loms" => Some(Database::Loms),
        "cart" => Some(Database::Cart),
        "comments" => Some(Database::Comments),
        "notifier" => Some(Database::Notifier),
        _ => None,
    };
    let postgres = database.map(|it| settings.postgres_of(it).url.expose().to_owned());
    let postgres = postgres.map(|url| ("MARKETPLACE_POSTGRES_URL", url));
    let kafka = ("MARKETPLACE_KAFKA_BROKERS", stores.kafka.address.clone());
    let console = settings
        .router
        .console_url
        .as_ref()
        .filter(|_| name == "router");
    let console = console.map(|it| ("MARKETPLACE_ROUTER_CONSOLE_URL", it.clone()));
    let is_switchable = name == "product-service" && settings.product.fault_switch_enabled;
    let switch = (
        "MARKETPLACE_PRODUCT_FAULT_SWITCH_ENABLED",
        "true".to_owned(),
    );
    let switch = is_switchable.then_some(switch);
    let is_chosen = settings.telemetry.log_file.is_some();
    let log = state.log(name).display().to_string();
    let log = (!is_chosen).then_some(("MARKETPLACE_TELEMETRY_LOG_FILE", log));
    let recent = settings.telemetry.recent_bytes;
    let recent = recent.map(|it| ("MARKETPLACE_TELEMETRY_RECENT_BYTES", it.to_string()));
    let instance = ("MARKETPLACE_UP_INSTANCE", settings.up.instance.clone());
    let stores = postgres.into_iter().chain([kafka, instance]);
    let all = stores.chain(console).chain(switch).chain(log).chain(recent);
    all.collect()
}

/// The flags that a child shares with its parent. The stores' addresses go by environment: one holds a password.
fn arguments(common: &Common, state: &StateDir) -> Vec<String> {
    let mut arguments = vec!["--state-dir".to_owned(), state.root().display().to_string()];
    if let Some(config) = &common.config {
        arguments.extend(["--config".to_owned(), config.display().to_string()]);
    }
    if let Some(offset) = common.port_offset {
        arguments.extend(["--port-offset".to_owned(), offset.to_string()]);
    }
    if let Some(switch) = common.group_commit {
        let value = if switch == Switch::On { "on" } else { "off" };
        arguments.extend(["--group-commit".to_owned(), value.to_owned()]);
    }
    if let Some(brokers) = common.brokers {
        arguments.extend(["--set".to_owned(), format!("up.brokers={brokers}")]);
    }
    for set in &common.set {
        arguments.extend(["--set".to_owned(), set.clone()]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values are those that the child's own command line takes.
    #[test]
    fn a_child_commits_as_its_parent_was_told_to() {
        use clap::Parser as _;

        use crate::cli::Cli;
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        for switch in [None, Some(Switch::On), Some(Switch::Off)] {
            let common = Common {
                group_commit: switch,
                ..Common::default()
            };
            let line = ["marketplace".to_owned(), "loms".to_owned()].into_iter();
            let child = Cli::parse_from(line.chain(arguments(&common, &state)));
            assert_eq!(child.common.group_commit, switch);
        }
    }
}
