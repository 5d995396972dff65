//! The user who runs it: clear refusals, a clean end, a quick second start.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dev_services::child::{Output, Supervised};
use dev_services::process::{Identity, Signal};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;

use crate::shop::{Arrangement, Shop, command, free_offset, run};

#[tokio::test]
async fn a_taken_port_is_named_with_its_setting_before_anything_is_started() {
    let folder = TempDir::new().unwrap();
    let offset = free_offset();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 8084 + offset)).unwrap();
    let started = Instant::now();
    let output = command(&folder.path().join("state"), offset)
        .arg("up")
        .output()
        .unwrap();
    drop(taken);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        stderr.contains(&format!("port {}", 8084 + offset)),
        "{stderr}"
    );
    assert!(stderr.contains("router.rest.loms_listen"), "{stderr}");
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "took {:?}",
        started.elapsed()
    );
    assert!(
        !folder.path().join("state/kafka").exists(),
        "Kafka was begun"
    );
}

#[tokio::test]
async fn an_unknown_setting_stops_the_start_by_its_name() {
    let folder = TempDir::new().unwrap();
    let mut command = command(&folder.path().join("state"), 0);
    let output = command
        .args(["--set", "router.lisen=127.0.0.1:1", "config", "print"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && stderr.contains("lisen"),
        "{stderr}"
    );
}

#[tokio::test]
async fn production_refuses_what_the_demo_lives_on() {
    let folder = TempDir::new().unwrap();
    let mut command = command(&folder.path().join("state"), 0);
    let output = command
        .args(["--set", "profile=production", "up"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && stderr.contains("production"),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_stop_leaves_no_process_and_the_second_start_is_quick() {
    let folder = TempDir::new().unwrap();
    let offset = free_offset();
    let first = Shop::start_in(folder.path(), Arrangement::Together, offset, &[]).await;
    let processes = first.processes();
    assert!(
        processes.len() >= 3,
        "the launcher, Postgres and Kafka: {processes:?}"
    );
    let took = first.stop().await;
    assert!(took < Duration::from_secs(10), "the stop took {took:?}");
    all_end(&processes).await;

    let started = Instant::now();
    let second = Shop::start_in(folder.path(), Arrangement::Together, offset, &[]).await;
    let took = started.elapsed();
    // The promise is 5 s on a quiet machine; the tests' machine is not quiet.
    assert!(
        took < Duration::from_secs(15),
        "the second start took {took:?}"
    );
    second.stop().await;
}

#[tokio::test]
async fn what_runs_in_a_folder_is_shown_used_and_stopped_without_any_other_flag() {
    let folder = TempDir::new().unwrap();
    let of_folder = async |arguments: &[&str]| {
        let mut command = command(&folder.path().join("state"), 0);
        command.args(arguments);
        let output = run(command).await;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        (output.status.success(), stdout, stderr)
    };
    let (is_well, shown, _) = of_folder(&["status"]).await;
    assert!(!is_well && shown.contains("nothing runs in"), "{shown}");
    let (is_given, _, why) = of_folder(&["token", "7"]).await;
    assert!(!is_given && why.contains("`marketplace up`"), "{why}");

    let shop = Shop::start_in(folder.path(), Arrangement::Processes, free_offset(), &[]).await;
    let (is_well, shown, _) = of_folder(&["status"]).await;
    let router = format!("127.0.0.1:{}", shop.port(4000));
    assert!(is_well && shown.contains(&router), "{shown}");
    assert!(shown.contains("loms") && shown.contains("MiB"), "{shown}");
    let (_, shown, _) = of_folder(&["status", "--json"]).await;
    let status: Value = serde_json::from_str(&shown).unwrap();
    let services = status["services"].as_array().unwrap();
    assert!(services.iter().any(|it| it["state"] == "ready"), "{status}");
    let (_, token, _) = of_folder(&["token", "7", "--ttl", "1m"]).await;
    let me = shop.graphql(token.trim(), "{ me { id } }", json!({})).await;
    assert_eq!(me["me"]["id"], "7", "{me}");
    let (_, shown, _) = of_folder(&["migrate", "status", "--json"]).await;
    let migrations: Value = serde_json::from_str(&shown).expect("of the server that runs here");
    assert_eq!(migrations[0]["applied"], true, "{migrations}");
    let (is_seeded, _, why) = of_folder(&["seed"]).await;
    assert!(is_seeded, "{why}");
    let (_, address, _) = of_folder(&["open", "live"]).await;
    assert_eq!(address.trim(), format!("http://{router}/live"));

    let processes = shop.processes();
    let (is_stopped, said, why) = of_folder(&["stop"]).await;
    assert!(
        is_stopped && said.contains("stopped after"),
        "{said}\n{why}"
    );
    let (is_well, _, _) = of_folder(&["status"]).await;
    assert!(!is_well, "it has ended");
    shop.stop().await;
    all_end(&processes).await;
}

/// An `up` whose end the test decides, and what it prints.
fn start_up(folder: &Path, offset: u16, flags: &[&str]) -> (Supervised, PathBuf) {
    let log = folder.join("first.log");
    let mut up = command(&folder.join("state"), offset);
    up.arg("up").args(flags);
    // As in the shell of somebody who works on another server: a cluster of one's own has neither.
    up.env("PGSSLMODE", "require");
    up.env("PGOPTIONS", "-c default_transaction_read_only=on");
    let output = Output::Log(&log);
    let up = Supervised::start("marketplace", up, output, Signal::Term, None).unwrap();
    (up, log)
}

async fn until_said(log: &Path, words: &str) {
    eventually("it says so", Duration::from_secs(120), async || {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        said.contains(words).then_some(())
    })
    .await;
}

/// Fails with the service started again for ever, and with an `up` that is ready by whatever answers on its ports.
#[tokio::test]
async fn a_service_that_another_program_keeps_from_its_port_ends_the_start() {
    let folder = TempDir::new().unwrap();
    let offset = free_offset();
    let (mut up, log) = start_up(folder.path(), offset, &["--processes"]);
    // By then the ports have been looked at.
    until_said(&log, "postgres").await;
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 8085 + offset)).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(120), up.wait()).await;
    drop(taken);
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(!ended.expect("it ends").success(), "{said}");
    let port = format!("port {} is taken", 8085 + offset);
    for part in [&port, "has lost its port"] {
        assert!(said.contains(part), "{part} in\n{said}");
    }
    assert!(!said.contains("is ready after"), "{said}");
}

/// Fails with ports that are looked at before the broker of the killed one has ended: it was "another process" then.
#[tokio::test]
async fn a_start_right_after_a_kill_waits_for_what_the_killed_one_left() {
    let folder = TempDir::new().unwrap();
    let offset = free_offset();
    let (mut up, log) = start_up(folder.path(), offset, &[]);
    until_said(&log, "is ready after").await;
    up.kill().await;
    let shop = Shop::start_in(folder.path(), Arrangement::Together, offset, &[]).await;
    assert!(shop.output().contains("an earlier run left behind"));
    shop.stop().await;
}

/// A server's last helper may end a moment after the server itself.
async fn all_end(processes: &[Identity]) {
    eventually(
        "no process is left behind",
        Duration::from_secs(5),
        async || (!processes.iter().any(Identity::is_running)).then_some(()),
    )
    .await;
}

#[tokio::test]
async fn a_second_launcher_on_the_same_folder_is_told_who_has_it() {
    let shop = Shop::shared().await;
    let output = command(shop.state(), shop.offset())
        .arg("up")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && stderr.contains("in use by process"),
        "{stderr}"
    );
}

#[tokio::test]
async fn the_banner_links_to_everything_and_shows_no_password() {
    let shop = Shop::shared().await;
    let banner = shop.output();
    for port in [4000, 8080, 8084, 8086, 8082, 8083, 9092, 5433] {
        assert!(
            banner.contains(&format!("127.0.0.1:{}", shop.port(port))),
            "no {port} in\n{banner}"
        );
    }
    assert!(banner.contains("marketplace:***@"), "{banner}");
    assert!(banner.contains("not against power loss"), "{banner}");
}
