//! Runs one container of ours as a native process: its command and environment, with names and folders of this machine.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dev_services::child::{Output, Supervised};
use dev_services::process::Signal;
use serde_json::Value;
use testkit::eventually;

/// Stands in for the container engine: its network, secrets and volumes.
#[derive(Debug)]
pub(super) struct Fixture {
    /// State, secrets and logs.
    pub(super) folder: PathBuf,
    /// Where the containers' programs are.
    pub(super) programs: PathBuf,
    /// The first address of each service.
    pub(super) addresses: BTreeMap<String, Ipv4Addr>,
    /// What is replaced in every value, beside the addresses of our services.
    pub(super) outside: Vec<(String, String)>,
}

impl Fixture {
    /// The environment of a service whose replica has the address `own`.
    pub(super) fn environment(&self, service: &Value, own: Ipv4Addr) -> Vec<(String, String)> {
        let variables = service["environment"].as_object().into_iter().flatten();
        variables
            .map(|(name, value)| {
                let value = value
                    .as_str()
                    .expect("a text")
                    .replace("0.0.0.0", &own.to_string());
                (name.clone(), self.here(&value))
            })
            .collect()
    }

    /// A value with the engine's names replaced.
    fn here(&self, value: &str) -> String {
        let secrets = self.folder.join("secrets").display().to_string();
        let state = self.folder.join("state").display().to_string();
        let mut value = value
            .replace("/run/secrets", &secrets)
            .replace("/app/state", &state);
        for (name, address) in &self.outside {
            value = value.replace(name, address);
        }
        for (name, address) in &self.addresses {
            value = value.replace(&format!("http://{name}:"), &format!("http://{address}:"));
        }
        value
    }

    fn command(&self, service: &Value, own: Ipv4Addr) -> Command {
        let words = |name: &str| -> Vec<String> {
            let list = service[name].as_array().into_iter().flatten();
            list.map(|word| word.as_str().expect("a word").to_owned())
                .collect()
        };
        // The image's own entry point, where the service has none.
        let mut line = match words("entrypoint") {
            line if line.is_empty() => vec!["marketplace".to_owned()],
            line => line,
        };
        line.extend(words("command"));
        let path = format!("{}:/usr/bin:/bin", self.programs.display());
        // By its whole path: a program is looked up before its new environment holds.
        let program = self.programs.join(&line[0]);
        let program = if program.exists() {
            program
        } else {
            PathBuf::from(&line[0])
        };
        let mut command = Command::new(program);
        command
            .args(&line[1..])
            .env_clear()
            .env("PATH", path)
            .envs(self.environment(service, own))
            .current_dir(&self.folder);
        command
    }

    /// Runs a service that ends by itself; it must succeed.
    pub(super) fn run_to_end(&self, name: &str, service: &Value) {
        let output = self.command(service, Ipv4Addr::LOCALHOST).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {stderr}");
    }

    /// Starts one replica and waits until its health check, as written, succeeds.
    pub(super) async fn start(
        &self,
        name: &'static str,
        service: &Value,
        own: Ipv4Addr,
    ) -> Supervised {
        let log = self.folder.join(format!("{name}-{own}.log"));
        let command = self.command(service, own);
        let mut child =
            Supervised::start(name, command, Output::Log(&log), Signal::Term, None).unwrap();
        eventually(
            &format!("{name} is healthy"),
            Duration::from_secs(60),
            async || {
                let ended = child.try_wait();
                assert!(ended.is_none(), "{name} ended:\n{}", text(&log));
                healthy(service, own).then_some(())
            },
        )
        .await;
        child
    }
}

/// The health check's own command, with the container's loopback replaced by the replica's address.
fn healthy(service: &Value, own: Ipv4Addr) -> bool {
    let test = service["healthcheck"]["test"]
        .as_array()
        .expect("a health check");
    let words: Vec<String> = test
        .iter()
        .map(|word| {
            word.as_str()
                .expect("a word")
                .replace("127.0.0.1", &own.to_string())
        })
        .collect();
    assert_eq!(words[0], "CMD");
    let output = Command::new(&words[1]).args(&words[2..]).output();
    output
        .expect("the check's program is there")
        .status
        .success()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
