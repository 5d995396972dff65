//! The marketplace that is measured: processes of its own in a folder of its own.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::cores::Cores;

const START: Duration = Duration::from_secs(180);
const STOP: Duration = Duration::from_secs(30);

/// A running marketplace.
#[derive(Debug)]
pub struct Server {
    process: Child,
    state: TempDir,
    port_offset: u16,
}

impl Server {
    /// Starts `binary up --processes` with some settings more and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(
        binary: &Path,
        port_offset: u16,
        settings: &[String],
        cores: &Cores,
    ) -> anyhow::Result<Self> {
        let state = TempDir::with_prefix("bench-")?;
        let offset = port_offset.to_string();
        let process = cores
            .command(binary)
            .args(["up", "--processes", "--port-offset", &offset, "--state-dir"])
            .arg(state.path())
            // The address of all shoppers is one: its budget would end the measurement.
            .args(["--set", "router.rate_limit.enabled=false"])
            .args(["--set", "loms.share_percent=100"])
            // It keeps every trace, which nobody reads here.
            .args(["--set", "console.enabled=false"])
            .args(["--set", "router.stream.total_max=30000"])
            .args(settings.iter().flat_map(|it| ["--set", it]))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} does not start", binary.display()))?;
        let mut server = Self {
            process,
            state,
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
    #[must_use]
    pub fn at(&self, port: u16, path: &str) -> String {
        format!("http://{}{path}", self.address(port))
    }

    /// The address of one of its ports.
    #[must_use]
    pub fn address(&self, port: u16) -> String {
        format!("127.0.0.1:{}", port + self.port_offset)
    }

    /// The processes of its services, by the name of the file that each writes its number to.
    #[must_use]
    pub fn running(&self) -> BTreeMap<String, u32> {
        let files = fs::read_dir(self.state.path().join("run"));
        let files = files.into_iter().flatten().filter_map(Result::ok);
        files
            .filter_map(|file| {
                let text = fs::read_to_string(file.path()).ok()?;
                let id = text.split_whitespace().next()?.parse().ok()?;
                Some((file.file_name().into_string().ok()?, id))
            })
            .collect()
    }

    /// Stops it as Ctrl-C does, by its process id.
    ///
    /// # Errors
    /// When it does not stop; then it is killed.
    pub async fn stop(mut self) -> anyhow::Result<()> {
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
