//! `./doctor`, which looks at a machine that cannot build the program yet.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use marketplace::settings::Settings;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Its exit code and what it prints, where nothing is built.
fn doctor(state: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(root().join("doctor"))
        .arg("--state-dir")
        .arg(state)
        .args(arguments)
        .env("CARGO_TARGET_DIR", state.join("target"))
        .env_remove("DATABASE_URL")
        .env_remove("KAFKA_BROKERS")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.stderr.is_empty(), "{output:?}");
    (output.status.success(), text)
}

/// Seen red with a `note` for the port.
#[test]
fn a_taken_port_is_refused_before_anything_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let offset = testkit::free_offset();
    let flag = format!("--port-offset={offset}");
    let (is_well, said) = doctor(folder.path(), &[&flag]);
    assert!(is_well, "{said}");
    let taken = TcpListener::bind(("127.0.0.1", 8084 + offset)).unwrap();
    let (is_well, said) = doctor(folder.path(), &[&flag]);
    drop(taken);
    let port = format!(" {}; stop it", 8084 + offset);
    let line = said.lines().find(|line| line.contains(&port));
    assert!(
        !is_well && line.is_some_and(|line| line.starts_with("MISSING")),
        "{said}"
    );
}

#[test]
fn a_missing_program_is_named_with_the_line_that_installs_it() {
    let folder = tempfile::tempdir().unwrap();
    // A path on which there is what the script itself runs, and nothing to build with.
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for program in ["sh", "id", "dirname", "df", "awk", "sed", "head", "cat"] {
        let found = std::env::split_paths(env!("PATH"))
            .map(|folder| folder.join(program))
            .find(|path| path.exists());
        std::os::unix::fs::symlink(found.expect("a usual program"), bin.join(program)).unwrap();
    }
    let output = Command::new(root().join("doctor"))
        .arg("--state-dir")
        .arg(folder.path())
        .env_clear()
        .env("PATH", &bin)
        .env("CARGO_TARGET_DIR", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success(), "{said}");
    for (check, remedy) in [
        ("make", "make"),
        ("compiler", "build-essential"),
        ("rust", "rustup.rs"),
        ("java", "default-jre-headless"),
        ("maven", "maven"),
    ] {
        let is_named =
            |line: &str| line.starts_with(&format!("MISSING {check}")) && line.contains(remedy);
        assert!(said.lines().any(is_named), "no {check} in\n{said}");
    }
}

/// The script has a list of its own, because it runs before there is a program to ask.
#[test]
fn it_knows_the_ports_that_up_listens_on() {
    let script = std::fs::read_to_string(root().join("doctor")).unwrap();
    let value = |name: &str| {
        let mut lines = script.lines();
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found
            .unwrap_or_else(|| panic!("no {name}"))
            .trim_matches('"')
            .to_owned()
    };
    let ports = value("PORTS");
    let mut known: Vec<u16> = ports.split(' ').map(|port| port.parse().unwrap()).collect();
    known.sort_unstable();
    let settings = Settings::default();
    let listeners = settings.listeners(false);
    let mut listened: Vec<u16> = listeners.iter().map(|it| it.address.port()).collect();
    listened.sort_unstable();
    assert_eq!(known, listened);
    assert_eq!(
        value("POSTGRES_PORT"),
        settings.up.postgres_port.to_string()
    );
    assert_eq!(value("KAFKA_PORT"), settings.up.kafka_port.to_string());
}
