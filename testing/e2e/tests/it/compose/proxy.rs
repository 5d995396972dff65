//! The proxy's configuration, which `compose.yaml` names, run by the real HAProxy over two routers on this machine.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use dev_services::child::{Output, Supervised};
use dev_services::process::Signal;

use super::file::model;

const MISSING: &str =
    "haproxy is not installed: on Debian and Ubuntu `apt-get install haproxy` brings it";

/// The configuration as the container gets it.
fn configuration() -> String {
    let model = model();
    let file = model["configs"]["proxy"]["file"].as_str();
    std::fs::read_to_string(file.expect("the proxy's configuration")).unwrap()
}

/// The same with the engine's names replaced: listeners at `own`, and one server for each router.
fn on_this_machine(own: Ipv4Addr, routers: &[Ipv4Addr]) -> String {
    let mut lines = Vec::new();
    for line in configuration().lines() {
        if let Some(port) = line
            .trim()
            .strip_prefix("server-template router- 8 router:")
        {
            let server = |(index, ip)| format!("    server router-{index} {ip}:{port}");
            lines.extend(routers.iter().enumerate().map(server));
        } else {
            let line = line.replace(" resolvers containers init-addr libc,none", "");
            lines.push(line.replace("bind :", &format!("bind {own}:")));
        }
    }
    lines.join("\n") + "\n"
}

/// Starts the proxy in `folder`.
pub(super) fn start(folder: &Path, own: Ipv4Addr, routers: &[Ipv4Addr]) -> Supervised {
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, on_this_machine(own, routers)).unwrap();
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(&file);
    command.env("CONNECTIONS_MAX", "200");
    let log = folder.join("haproxy.log");
    let child = Supervised::start("haproxy", command, Output::Log(&log), Signal::Term, None);
    child.unwrap_or_else(|error| panic!("{MISSING} ({error})"))
}

/// As it stands, container names and all: they need not be known for the check.
#[test]
fn haproxy_takes_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("haproxy.cfg");
    std::fs::write(&file, configuration()).unwrap();
    let output = Command::new("haproxy")
        .arg("-c")
        .arg("-f")
        .arg(&file)
        .env("CONNECTIONS_MAX", "20000")
        .output();
    let output = output.unwrap_or_else(|error| panic!("{MISSING} ({error})"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}
