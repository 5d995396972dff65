//! `marketplace stop`: ends this folder's `up` as Ctrl-C would.

use std::time::Duration;

use anyhow::bail;
use dev_services::process::{self, Signal};
use dev_services::state;
use tokio::time::{Instant, sleep};

use crate::output;
use crate::settings::Settings;
use crate::up::record;

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Asks it to stop and waits until it has.
///
/// # Errors
/// When it has not stopped within `limit`.
pub(crate) async fn run(settings: &Settings, limit: Duration) -> anyhow::Result<()> {
    let Some(running) = record::find(&settings.state_dir)? else {
        let folder = settings.state_dir.display();
        output::result(&format!("nothing runs in {folder}\n"));
        return Ok(());
    };
    let started = Instant::now();
    let process = running.process;
    process::send(process.pid, Signal::Term);
    // The folder is free when the process has ended, also where its parent has not yet asked how.
    while state::holder(&settings.state_dir).is_some() {
        if started.elapsed() >= limit {
            let pid = process.pid;
            bail!(
                "process {pid} still stops after {limit:?}; wait on, or end it at once: kill -9 {pid} \
                 (nothing that was acknowledged is lost)"
            );
        }
        sleep(LOOK_EVERY).await;
    }
    let after = started.elapsed().as_secs_f64();
    output::result(&format!("stopped after {after:.1} s\n"));
    Ok(())
}
