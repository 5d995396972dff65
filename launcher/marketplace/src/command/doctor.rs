//! `marketplace doctor`: reports what this machine has, what is missing, and how to install it.

use std::net::TcpListener;
use std::path::Path;

use dev_services::account::Account;
use dev_services::{environment, install, java, kafka, postgres, program, state};

use crate::durability;
use crate::output;
use crate::settings::{Profile, Settings};
use crate::up::{ports, stores};

/// Free space that a first start needs: jars, a new cluster, some days of events.
const LEAST_FREE_MIB: u64 = 1024;

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Finding {
    /// All is well.
    Fine(String),
    /// `up` works, but without something optional.
    Note(String),
    /// `up` cannot work.
    Broken(String),
}

/// Prints every finding; true when `up` can work.
pub(crate) async fn run(settings: &Settings) -> bool {
    let mut findings = vec![
        ("java", java(settings).await),
        ("maven", maven(settings)),
        ("postgres", postgres(settings)),
        ("account", account(settings)),
        ("disk", disk(&settings.state_dir)),
        ("npm", npm()),
    ];
    if let Some(address) = stores::external_postgres(settings) {
        findings.push(("durability", durability(settings, address).await));
    }
    let running = is_running(&settings.state_dir);
    findings.extend(running.map(|pid| {
        (
            "state",
            Finding::Note(format!("a marketplace runs here, process {pid}")),
        )
    }));
    let listeners = ports::all(settings, true);
    findings.extend(listeners.iter().map(|listener| ("port", port(listener))));
    for (name, finding) in &findings {
        let (mark, text) = match finding {
            Finding::Fine(text) => ("ok     ", text),
            Finding::Note(text) => ("note   ", text),
            Finding::Broken(text) => ("MISSING", text),
        };
        output::result(&format!("{mark} {name:<9} {text}\n"));
    }
    !findings
        .iter()
        .any(|(_, finding)| matches!(finding, Finding::Broken(_)))
}

async fn java(settings: &Settings) -> Finding {
    if stores::external_kafka(settings).is_some() {
        return Finding::Fine("not needed: Kafka's address is given".into());
    }
    if stores::is_mock(settings) {
        return Finding::Fine("not needed: up.broker is the mock".into());
    }
    match java::find().await {
        Some(java) => Finding::Fine(format!("{} at {}", java.version, java.program.display())),
        None => Finding::Broken(format!(
            "Java 17 or newer; run: {}, or start with --broker mock",
            install::line(&["default-jre-headless"])
        )),
    }
}

fn maven(settings: &Settings) -> Finding {
    let fetched = kafka::is_fetched(&stores::cache(settings));
    if stores::is_mock(settings) {
        return Finding::Fine("not needed: up.broker is the mock".into());
    }
    if fetched || stores::external_kafka(settings).is_some() {
        return Finding::Fine("not needed: Kafka is downloaded already".into());
    }
    match program::find("mvn") {
        Some(path) => Finding::Fine(format!(
            "{}; the first start downloads Kafka, about 43 MB",
            path.display()
        )),
        None => Finding::Broken(format!(
            "Maven, to download Kafka once; run: {}",
            install::line(&["maven"])
        )),
    }
}

fn postgres(settings: &Settings) -> Finding {
    if stores::external_postgres(settings).is_some() {
        return Finding::Fine("not needed: its address is given".into());
    }
    match postgres::find(environment::pg_bin().as_deref(), None) {
        Some(found) => Finding::Fine(format!(
            "{} at {} (from {})",
            found.major,
            found.bin.display(),
            found.source
        )),
        None => Finding::Note(format!(
            "not installed; the first start downloads it with Maven, or run: {}",
            install::line(&["postgresql"])
        )),
    }
}

/// Checks a server that the settings name. A private one has all three on.
async fn durability(settings: &Settings, address: String) -> Finding {
    let mut server = settings.postgres.clone();
    server.url = address.into();
    match durability::look(&server, "postgres").await {
        Ok(risks) => match risks.first() {
            None => Finding::Fine("fsync, full_page_writes and synchronous_commit are on".into()),
            Some(risk) if settings.profile == Profile::Production => Finding::Broken(risk.told()),
            Some(risk) => Finding::Note(risk.told()),
        },
        Err(error) => Finding::Note(format!("cannot be determined: {error:#}")),
    }
}

fn account(settings: &Settings) -> Finding {
    match Account::for_postgres() {
        Ok(Account::Own) => Finding::Fine("Postgres will run as you".into()),
        Ok(other) if settings.state_dir.exists() && !other.can_enter(&settings.state_dir) => {
            let folder = settings
                .state_dir
                .canonicalize()
                .unwrap_or_else(|_| settings.state_dir.clone());
            let system = state::system_dir(&folder);
            Finding::Fine(format!(
                "Postgres' account cannot enter the state folder; its data is in {}",
                system.display()
            ))
        }
        Ok(Account::Other { uid, .. }) => {
            Finding::Fine(format!("Postgres will run as user id {uid}, not as root"))
        }
        Err(error) => Finding::Broken(error.to_string()),
    }
}

fn disk(folder: &Path) -> Finding {
    let existing = folder
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("."));
    let existing = if existing.as_os_str().is_empty() {
        Path::new(".")
    } else {
        existing
    };
    let output = std::process::Command::new("df")
        .arg("-Pk")
        .arg(existing)
        .output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let free = text
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    match free.map(|kib| kib / 1024) {
        Some(free) if free >= LEAST_FREE_MIB => Finding::Fine(format!("{free} MiB free")),
        Some(free) => Finding::Broken(format!(
            "{free} MiB free, {LEAST_FREE_MIB} MiB needed; free some or use --state-dir"
        )),
        None => Finding::Note("the free space cannot be determined".into()),
    }
}

fn npm() -> Finding {
    match program::find("npm") {
        Some(path) => Finding::Fine(format!("{}, to build the playground", path.display())),
        None => Finding::Note(format!(
            "npm is missing, so the router shows its plain page; run: {}",
            install::line(&["npm"])
        )),
    }
}

fn port(listener: &crate::settings::Listener) -> Finding {
    let crate::settings::Listener {
        what,
        setting,
        address,
    } = listener;
    match TcpListener::bind(address) {
        Ok(_) => Finding::Fine(format!("{address} is free for {what}")),
        Err(error) => Finding::Note(format!(
            "{address} for {what}: {error}; {setting} or --port-offset moves it"
        )),
    }
}

fn is_running(state_dir: &Path) -> Option<String> {
    state::holder(state_dir)
}
