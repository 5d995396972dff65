//! The marketplace that is measured: processes of its own in a folder of its own.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

const START: Duration = Duration::from_secs(180);
const STOP: Duration = Duration::from_secs(30);

/// A running marketplace.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    _state: TempDir,
    port_offset: u16,
}

impl Server {
    /// Starts `binary up --processes`, with admission or without, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(crate) async fn start(
        binary: &Path,
        port_offset: u16,
        admission: bool,
    ) -> anyhow::Result<Self> {
        let state = TempDir::with_prefix("bench-overload-")?;
        let offset = port_offset.to_string();
        let process = Command::new(binary)
            .args(["up", "--processes", "--port-offset", &offset, "--state-dir"])
            .arg(state.path())
            // Eight shoppers are the whole town: their budgets would end the measurement.
            .args(["--set", "router.rate_limit.enabled=false"])
            .args(["--set", &format!("router.admission.enabled={admission}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} does not start", binary.display()))?;
        let mut server = Self {
            process,
            _state: state,
            port_offset,
        };
        let ready = server.at(4000, "/readyz");
        let client = reqwest::Client::new();
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if let Some(status) = server.process.try_wait()? {
                bail!("the marketplace ended: {status}");
            }
            if matches!(client.get(&ready).send().await, Ok(it) if it.status().is_success()) {
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("the marketplace is not ready after {START:?}")
    }

    /// A path on one of its ports.
    pub(crate) fn at(&self, port: u16, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", port + self.port_offset)
    }

    /// Stops it as Ctrl-C does, by its process id.
    ///
    /// # Errors
    /// When it does not stop; then it is killed.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let id = self.process.id().to_string();
        Command::new("kill").arg(id).status()?;
        let deadline = Instant::now() + STOP;
        while self.process.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.process.kill()?;
                bail!("the marketplace did not stop within {STOP:?}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}
