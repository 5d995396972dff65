//! What an earlier `up` of this folder left behind: after `kill -9`, or with a terminal that was closed, its processes take a
//! moment to end, and hold their ports meanwhile.

use std::path::PathBuf;

use dev_services::Progress;
use dev_services::child::STOP_LIMIT;
use dev_services::process::{Identity, Signal};
use dev_services::state::StateDir;
use futures::future::join_all;

use super::fleet;

/// Ends every process that an earlier run of this folder wrote down. Their pid files name them together with their start, so
/// that no stranger with the same number is meant.
///
/// # Cancel safety
/// Dropping the future leaves running what has not ended yet.
pub(crate) async fn stop(state: &StateDir, progress: &Progress) {
    let found = stores(state)
        .into_iter()
        .chain(fleet::pid_files(state.root()));
    let stopping = found.filter_map(|(name, file, signal, last)| {
        let orphan = Identity::find_running(&file)?;
        progress.say(name, "stopping what an earlier run left behind");
        Some(async move { orphan.stop(signal, STOP_LIMIT, last).await })
    });
    join_all(stopping).await;
}

/// Name, pid file, and the signals that end it.
type Recorded = (&'static str, PathBuf, Signal, Signal);

fn stores(state: &StateDir) -> [Recorded; 3] {
    let postgres = |folder: PathBuf| ("postgres", folder, Signal::Int, Signal::Quit);
    let kafka = state.root().join("kafka/pid");
    [
        ("kafka", kafka, Signal::Term, Signal::Kill),
        postgres(state.root().join("postgres/pid")),
        postgres(state.system().join("postgres/pid")),
    ]
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// Once a start within two seconds blamed "another process" for a port that its own broker had.
    #[tokio::test]
    async fn what_an_earlier_run_left_is_gone_before_ports_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        std::fs::create_dir_all(state.root().join("kafka")).unwrap();
        std::fs::create_dir_all(state.root().join("run")).unwrap();
        let files = ["kafka/pid", "run/loms.pid"].map(|file| state.root().join(file));
        let mut left = files.map(|file| {
            let sleeper = Command::new("sleep")
                .arg("300")
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            Identity::of(sleeper.id()).unwrap().record(&file).unwrap();
            sleeper
        });
        let reaped = std::thread::spawn(move || left.iter_mut().all(|it| it.wait().is_ok()));
        stop(&state, &Progress::silent()).await;
        assert!(reaped.join().unwrap());
    }
}
