//! What happens to a child when its parent is gone.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use dev_services::child::{Output, Supervised};
use dev_services::process::{Identity, Signal};
use tokio::time::{Instant, sleep};

async fn gone(process: &Identity) -> bool {
    let deadline = Instant::now() + Duration::from_secs(15);
    while process.is_running() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(20)).await;
    }
    true
}

/// Runs in a process of its own, which the next test kills.
#[tokio::test]
#[ignore = "the parent that another test kills"]
async fn parent_of_a_sleeper() {
    let mut sleeper = Command::new("sleep");
    sleeper.arg("300");
    let mut child =
        Supervised::start("sleeper", sleeper, Output::Inherit, Signal::Term, None).unwrap();
    let Some(file) = option_file() else { return };
    child.record(&file).unwrap();
    child.wait().await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's message to its own child process"
)]
fn option_file() -> Option<std::path::PathBuf> {
    std::env::var_os("ORPHAN_PID_FILE").map(Into::into)
}

/// Seen red with the watchdog's `read` replaced by `sleep`.
#[tokio::test]
async fn a_child_ends_when_its_parent_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "orphans::parent_of_a_sleeper"])
        .env("ORPHAN_PID_FILE", &file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(15);
    let sleeper = loop {
        if let Some(found) = Identity::find_running(&file) {
            break found;
        }
        assert!(Instant::now() < deadline, "the sleeper never started");
        sleep(Duration::from_millis(20)).await;
    };
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(gone(&sleeper).await, "the child outlived its parent");
}

#[tokio::test]
async fn a_dropped_child_ends_in_the_background() {
    let mut command = Command::new("sleep");
    command.arg("300");
    let child = Supervised::start("sleeper", command, Output::Inherit, Signal::Term, None).unwrap();
    let sleeper = Identity::of(child.pid()).unwrap();
    drop(child);
    assert!(gone(&sleeper).await);
}
