//! `marketplace doctor`: reports what this machine has, what is missing, and how to install it. It says "MISSING" where `up`
//! would refuse, and of nothing else; `./doctor` asks the same of a machine that cannot build the program yet.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use dev_services::account::Account;
use dev_services::{environment, install, java, kafka, postgres, program};
use serde::Serialize;

use crate::durability;
use crate::output;
use crate::settings::{Listener, Profile, Settings};
use crate::up::folder::{self, Room};
use crate::up::{ports, record, stores};

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// All is well.
    Ok,
    /// `up` works, but without something optional, or after doing something first.
    Note,
    /// `up` cannot work.
    Missing,
}

/// Memory of one Kafka broker, of several that are a cluster.
const BROKER_MIB: u64 = 400;
/// Memory of all else that `up` starts.
const REST_MIB: u64 = 600;

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    text: String,
}

/// What one check says, before it has its name.
type Said = (State, String);

fn ok(text: impl Into<String>) -> Said {
    (State::Ok, text.into())
}

fn note(text: impl Into<String>) -> Said {
    (State::Note, text.into())
}

fn missing(text: impl Into<String>) -> Said {
    (State::Missing, text.into())
}

/// Prints every finding; exit code 1 when `up` would refuse to start.
///
/// # Errors
/// When the findings cannot be written as JSON.
pub(crate) async fn run(settings: &Settings, json: bool) -> anyhow::Result<ExitCode> {
    let findings = look(settings).await;
    if json {
        output::result(&(serde_json::to_string_pretty(&findings)? + "\n"));
    } else {
        for Finding { check, state, text } in &findings {
            let mark = match state {
                State::Ok => "ok",
                State::Note => "note",
                State::Missing => "MISSING",
            };
            output::result(&format!("{mark:<7} {check:<10} {text}\n"));
        }
    }
    let is_refused = findings.iter().any(|it| it.state == State::Missing);
    Ok(if is_refused {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn look(settings: &Settings) -> Vec<Finding> {
    let mut all = vec![
        ("java", java(settings).await),
        ("maven", maven(settings).await),
        ("postgres", postgres(settings).await),
        ("account", account(settings)),
        ("memory", memory(settings)),
        ("folder", state_folder(settings)),
    ];
    all.extend(
        folder::with_data(settings)
            .iter()
            .map(|it| ("disk", disk(it))),
    );
    all.push(("npm", npm()));
    if let Some(address) = stores::external_postgres(settings) {
        all.push(("durability", durability(settings, address).await));
    }
    let own = own_ports(settings);
    if let Some(pid) = dev_services::state::holder(&settings.state_dir) {
        all.push((
            "state",
            note(format!("a marketplace runs here, process {pid}")),
        ));
    }
    let together = ports::all(settings, false);
    let is_always = |it: &Listener| together.iter().any(|other| other.setting == it.setting);
    for listener in ports::all(settings, true) {
        all.push(("port", port(&listener, &own, is_always(&listener))));
    }
    let named = all
        .into_iter()
        .map(|(check, (state, text))| Finding { check, state, text });
    named.collect()
}

/// What is to be installed: by `up` itself where it can, else by the reader.
async fn to_install(what: &str, packages: &[&str], besides: &str) -> Said {
    let line = install::line(packages);
    if install::is_possible().await {
        note(format!("{what} is not there; `up` installs it: {line}"))
    } else {
        missing(format!("{what}; run: {line}{besides}"))
    }
}

async fn java(settings: &Settings) -> Said {
    if let Some(address) = stores::external_kafka(settings) {
        return match stores::reach_kafka(&address).await {
            Ok(()) => ok("not needed: Kafka's address is given, and it responds"),
            Err(error) => missing(format!("{error:#}")),
        };
    }
    if stores::is_mock(settings) {
        return ok("not needed: up.broker is the mock");
    }
    match java::find().await {
        Some(java) => ok(format!("{} at {}", java.version, java.program.display())),
        None => {
            let besides = ", or start with --broker mock";
            to_install("Java 17 or newer", &["default-jre-headless"], besides).await
        }
    }
}

async fn maven(settings: &Settings) -> Said {
    let fetched = kafka::is_fetched(&stores::cache(settings));
    if stores::is_mock(settings) {
        return ok("not needed: up.broker is the mock");
    }
    if fetched || stores::external_kafka(settings).is_some() {
        return ok("not needed: Kafka is downloaded already");
    }
    match program::find("mvn") {
        Some(path) => ok(format!(
            "{}; the first start downloads Kafka, about 43 MB",
            path.display()
        )),
        None => to_install("Maven, to download Kafka once", &["maven"], "").await,
    }
}

async fn postgres(settings: &Settings) -> Said {
    if let Some(address) = stores::external_postgres(settings) {
        return match stores::reach_postgres(settings, &address).await {
            Ok(()) => ok("not needed: its address is given, and it responds"),
            Err(error) => missing(format!("{error:#}")),
        };
    }
    let line = install::line(&["postgresql"]);
    match postgres::find(environment::pg_bin().as_deref(), None) {
        Some(found) => ok(format!(
            "{} at {} (from {})",
            found.major,
            found.bin.display(),
            found.source
        )),
        None if environment::pg_bin().is_some() => missing(format!(
            "PG_BIN has no initdb of version {} or newer; run: {line}",
            postgres::LEAST_MAJOR
        )),
        None if program::find("mvn").is_some() || install::is_possible().await => note(format!(
            "not installed; the first start downloads it with Maven, or run: {line}"
        )),
        None => missing(format!(
            "Postgres {} or newer; run: {line}",
            postgres::LEAST_MAJOR
        )),
    }
}

/// Checks a server that the settings name. A private one has all three on.
async fn durability(settings: &Settings, address: String) -> Said {
    let mut server = settings.postgres.clone();
    server.url = address.into();
    match durability::look(&server, "postgres").await {
        Ok(risks) => match risks.first() {
            None => ok("fsync, full_page_writes and synchronous_commit are on"),
            Some(risk) if settings.profile == Profile::Production => missing(risk.told()),
            Some(risk) => note(risk.told()),
        },
        Err(error) => note(format!("cannot be determined: {error:#}")),
    }
}

fn account(settings: &Settings) -> Said {
    if stores::external_postgres(settings).is_some() {
        return ok("not needed: Postgres' address is given");
    }
    match Account::for_postgres() {
        Ok(Account::Own) => ok("Postgres will run as you"),
        Ok(Account::Other { uid, .. }) => match folder::apart(&settings.state_dir) {
            Some(system) => ok(format!(
                "Postgres runs as user id {uid}, who cannot enter the state folder; its data is in {}",
                system.display()
            )),
            None => ok(format!("Postgres will run as user id {uid}, not as root")),
        },
        Err(error) => missing(error.to_string()),
    }
}

fn state_folder(settings: &Settings) -> Said {
    let shown = settings.state_dir.display();
    match folder::try_writing(&settings.state_dir) {
        Ok(()) => ok(format!("{shown} can be written")),
        Err(error) => missing(format!(
            "{shown} cannot be written ({error}); choose another with --state-dir DIR"
        )),
    }
}

/// Whether there is room for the brokers of a cluster beside the rest.
fn memory(settings: &Settings) -> Said {
    let is_ours = stores::external_kafka(settings).is_none() && !stores::is_mock(settings);
    let brokers = if is_ours {
        u64::from(settings.up.brokers)
    } else {
        0
    };
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let Some(free) = available_mib(&meminfo) else {
        return note("the free memory cannot be determined");
    };
    let needed = REST_MIB + brokers * BROKER_MIB;
    let text = format!(
        "{free} MiB available, about {needed} MiB needed with {brokers} Kafka brokers of its own"
    );
    if free >= needed {
        ok(text)
    } else {
        note(text + "; up.brokers takes fewer")
    }
}

fn available_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|kib| kib / 1024)
}

fn disk(folder: &std::path::Path) -> Said {
    let shown = folder.display();
    match folder::room(folder) {
        Room::Ample(free) => ok(format!("{free} MiB free for {shown}")),
        Room::Little(free) => note(format!(
            "{free} MiB free for {shown}, enough to start but not for long"
        )),
        Room::Lacking(free, needed) => missing(format!(
            "{free} MiB free for {shown}, {needed} MiB needed; free some or use --state-dir DIR"
        )),
        Room::Unknown => note(format!("the space that is free for {shown} is not known")),
    }
}

fn npm() -> Said {
    match program::find("npm") {
        Some(path) => ok(format!("{}, to build the playground", path.display())),
        None => note(format!(
            "npm is missing, so the router shows its plain page; run: {}",
            install::line(&["npm"])
        )),
    }
}

/// The ports of the `up` that runs in this folder.
fn own_ports(settings: &Settings) -> Vec<SocketAddr> {
    let running = record::find(&settings.state_dir).ok().flatten();
    let record = running.and_then(|it| it.record);
    let listeners = record.into_iter().flat_map(|it| it.listeners);
    listeners.map(|it| it.address).collect()
}

/// A port that `up` must have, where it `is_always` one, or that only `up --processes` takes.
fn port(listener: &Listener, own: &[SocketAddr], is_always: bool) -> Said {
    let Listener {
        what,
        setting,
        address,
    } = listener;
    let Err(error) = TcpListener::bind(address) else {
        return ok(format!("{address} is free for {what}"));
    };
    if own.contains(address) {
        return ok(format!(
            "{address} is {what} of the marketplace that runs here"
        ));
    }
    let remedy = format!("{setting} or --port-offset N moves it");
    if *setting == ports::CONSOLE {
        return note(format!(
            "{address} for {what}: {error}; `up` takes another port"
        ));
    }
    if is_always {
        missing(format!("{address} for {what}: {error}; {remedy}"))
    } else {
        note(format!(
            "{address} for {what} of `up --processes`: {error}; {remedy}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen red with `note` for each.
    #[test]
    fn a_taken_port_is_missing_where_up_would_refuse_it_and_else_a_note() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let listener = |setting| Listener {
            what: "something",
            setting,
            address,
        };
        let state =
            |setting, own: &[SocketAddr], is_always| port(&listener(setting), own, is_always).0;
        assert_eq!(state("router.listen", &[], true), State::Missing);
        assert_eq!(state("subgraphs.cart_listen", &[], false), State::Note);
        assert_eq!(state(ports::CONSOLE, &[], true), State::Note);
        assert_eq!(state("router.listen", &[address], true), State::Ok);
        drop(taken);
        assert_eq!(state("router.listen", &[], true), State::Ok);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_missing_with_the_flag_that_helps() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let settings = Settings {
            state_dir: file.join("state"),
            ..Settings::default()
        };
        let findings = look(&settings).await;
        let found = findings.iter().find(|it| it.check == "folder").unwrap();
        assert_eq!(found.state, State::Missing, "{found:?}");
        assert!(found.text.contains("--state-dir"), "{found:?}");
    }

    #[test]
    fn the_memory_that_is_left_is_read_in_mebibytes() {
        let text = "MemTotal:       24 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(available_mib(text), Some(2));
        assert_eq!(available_mib(""), None);
    }
}
