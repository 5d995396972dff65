//! `marketplace status`: what runs in this folder, where, and how it is.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use dev_services::process::resident_bytes;
use futures::future::join_all;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::settings::Settings;
use crate::up::record::{self, Listener, Running};
use crate::{http, output};

const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How a port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It says that it is ready.
    Ready,
    /// It says that it is not.
    NotReady,
    /// It takes connections, and has no word for how it is.
    Listens,
    /// Nobody takes connections.
    Absent,
}

impl State {
    const fn words(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NotReady => "not ready",
            Self::Listens => "listens",
            Self::Absent => "NOBODY THERE",
        }
    }
}

#[derive(Debug, Serialize)]
struct Status {
    folder: String,
    pid: u32,
    services: Vec<Port>,
    processes: Vec<Process>,
}

#[derive(Debug, Serialize)]
struct Port {
    what: String,
    address: SocketAddr,
    state: State,
}

#[derive(Debug, Serialize)]
struct Process {
    name: &'static str,
    pid: u32,
    resident_bytes: u64,
}

/// Prints it; exit code 1 when nothing runs, or a part of it is not there or not ready.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) async fn run(settings: &Settings, json: bool) -> anyhow::Result<ExitCode> {
    let folder = &settings.state_dir;
    let Some(running) = record::find(folder)? else {
        output::result(&if json {
            "null\n".to_owned()
        } else {
            format!(
                "nothing runs in {}; `marketplace up` starts it\n",
                folder.display()
            )
        });
        return Ok(ExitCode::FAILURE);
    };
    let status = Status {
        folder: folder.display().to_string(),
        pid: running.process.pid,
        services: ports(&running).await,
        processes: processes(&running),
    };
    if json {
        output::result(&(serde_json::to_string_pretty(&status)? + "\n"));
    } else {
        output::result(&describe(&status));
    }
    let is_bad = |port: &Port| matches!(port.state, State::NotReady | State::Absent);
    let is_well = !status.services.is_empty() && !status.services.iter().any(is_bad);
    Ok(if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn ports(running: &Running) -> Vec<Port> {
    let listeners = running.record.iter().flat_map(|it| it.listeners.clone());
    join_all(listeners.map(|Listener { what, address }| async move {
        let state = state(address).await;
        Port {
            what,
            address,
            state,
        }
    }))
    .await
}

async fn state(address: SocketAddr) -> State {
    match http::get(address, "/readyz").await {
        Some((200, _)) => return State::Ready,
        Some((503, _)) => return State::NotReady,
        _ => {}
    }
    match timeout(CONNECT_LIMIT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => State::Listens,
        _ => State::Absent,
    }
}

fn processes(running: &Running) -> Vec<Process> {
    let own = ("marketplace", running.process.pid);
    let all = std::iter::once(own).chain(running.services());
    let all = all.chain(running.brokers());
    all.map(|(name, pid)| Process {
        name,
        pid,
        resident_bytes: resident_bytes(pid).unwrap_or_default(),
    })
    .collect()
}

fn describe(status: &Status) -> String {
    let mut text = format!("in {}\n\n", status.folder);
    if status.services.is_empty() {
        text.push_str("  it is starting\n");
    }
    for Port {
        what,
        address,
        state,
    } in &status.services
    {
        // Writing into a String does not fail.
        let _written = writeln!(
            text,
            "  {what:<28} {:<22} {}",
            address.to_string(),
            state.words()
        );
    }
    text.push('\n');
    for Process {
        name,
        pid,
        resident_bytes,
    } in &status.processes
    {
        let mebibytes = resident_bytes / (1024 * 1024);
        let _written = writeln!(text, "  {name:<28} pid {pid:<18} {mebibytes} MiB");
    }
    text
}
