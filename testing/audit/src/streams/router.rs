//! A marketplace of the audit's own: a process for each service, so that the router can be ended by itself.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use futures::{FutureExt as _, future::BoxFuture};
use tempfile::TempDir;

use super::target::Router;

const START: Duration = Duration::from_secs(180);
const STOP: Duration = Duration::from_secs(30);

/// A running marketplace; dropping it kills it.
#[derive(Debug)]
pub struct Own {
    process: Child,
    folder: TempDir,
    /// `http://host:port` of its router.
    pub base: String,
}

impl Own {
    /// Starts `binary up --processes` in a folder of its own and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(binary: &Path, offset: u16) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("audit-streams-")?;
        let log = File::create(folder.path().join("up.log"))?;
        let process = Command::new(binary)
            .args(["up", "--processes", "--port-offset", &offset.to_string()])
            .arg("--state-dir")
            .arg(folder.path().join("state"))
            // All cases come from one address.
            .args(["--set", "router.rate_limit.enabled=false"])
            .stdout(log.try_clone()?)
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("{} does not start", binary.display()))?;
        let base = format!("http://127.0.0.1:{}", 4000 + offset);
        let mut own = Self {
            process,
            folder,
            base,
        };
        own.wait().await?;
        Ok(own)
    }

    async fn wait(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait()? {
                bail!("the marketplace ended: {status}\n{}", self.log());
            }
            if self.log().contains("is ready after") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!(
            "the marketplace is not ready after {START:?}\n{}",
            self.log()
        )
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("up.log")).unwrap_or_default()
    }

    /// What ends its router.
    pub fn router(&self) -> RouterProcess {
        RouterProcess {
            file: self.folder.path().join("state/run/router.pid"),
            ready: format!("{}/readyz", self.base),
        }
    }

    /// Stops it as Ctrl-C does.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        signal("TERM", &self.process.id().to_string())?;
        let deadline = Instant::now() + STOP;
        while self.process.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "it did not stop within {STOP:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            // Nobody is left to be told.
            drop(self.process.kill());
        }
    }
}

/// The router of a marketplace, which starts it again when it ends.
#[derive(Debug)]
pub struct RouterProcess {
    file: PathBuf,
    ready: String,
}

impl RouterProcess {
    fn pid(&self) -> Option<String> {
        let text = fs::read_to_string(&self.file).ok()?;
        text.split_whitespace().next().map(str::to_owned)
    }

    async fn end_and_wait(&self, is_orderly: bool) -> anyhow::Result<()> {
        let before = self.pid().context("the router's process is not known")?;
        signal(if is_orderly { "TERM" } else { "KILL" }, &before)?;
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            let is_new = self.pid().is_some_and(|pid| pid != before);
            if is_new && matches!(reqwest::get(&self.ready).await, Ok(it) if it.status() == 200) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the router is not back after {START:?}")
    }
}

impl Router for RouterProcess {
    fn end(&self, is_orderly: bool) -> BoxFuture<'_, anyhow::Result<()>> {
        self.end_and_wait(is_orderly).boxed()
    }
}

fn signal(name: &str, pid: &str) -> anyhow::Result<()> {
    let status = Command::new("kill").args(["-s", name, pid]).status()?;
    ensure!(status.success(), "process {pid} cannot be ended");
    Ok(())
}
