//! What a process takes: memory and processor time, as Linux counts them.

use std::{fs, time::Duration};

use anyhow::Context as _;
use dev_services::process::resident_bytes;

/// Ticks of `/proc/PID/stat` a second, on every Linux that runs on a server.
const TICKS: u64 = 100;

/// A running process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// What it holds of memory, in KiB.
    ///
    /// # Errors
    /// When it is gone, or this is no Linux.
    pub(crate) fn resident(self) -> anyhow::Result<f64> {
        let bytes = resident_bytes(self.0).context("the process is gone")?;
        Ok(f64::from(u32::try_from(bytes / 1024)?))
    }

    /// How long it has been at work, on all processors together.
    ///
    /// # Errors
    /// As [`Process::resident`].
    pub(crate) fn worked(self) -> anyhow::Result<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // Behind the name, which may have spaces: user and system time are the 12th and 13th.
        let rest = text.rsplit_once(") ").context("no name")?.1;
        let times = rest.split_whitespace().skip(11).take(2);
        let ticks: u64 = times.filter_map(|it| it.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 1_000 / TICKS))
    }
}
