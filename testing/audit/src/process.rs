//! A process of this run, ended with it by its id.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

const START: Duration = Duration::from_secs(60);

/// A running process; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
}

impl Process {
    /// Starts a command whose output nobody reads.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(name: &'static str, mut command: Command) -> anyhow::Result<Self> {
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = started.with_context(|| format!("{name} does not start: {command:?}"))?;
        Ok(Self { name, child })
    }

    /// Waits until a URL answers with a success.
    ///
    /// # Errors
    /// When it does not within a minute.
    pub(crate) async fn answers(&self, url: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if matches!(reqwest::get(url).await, Ok(response) if response.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        bail!("{} does not answer at {url} after {START:?}", self.name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
