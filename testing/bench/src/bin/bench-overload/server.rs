//! The marketplace that is measured: processes of its own in a folder of its own.

use std::{
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
pub(crate) struct Server {
    process: Child,
    state: TempDir,
    /// The processes of the services at the start.
    services: Vec<u32>,
    port_offset: u16,
}

impl Server {
    /// Starts `binary up --processes` with some settings more and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(crate) async fn start(
        binary: &Path,
        port_offset: u16,
        settings: &[String],
        cores: &Cores,
    ) -> anyhow::Result<Self> {
        let state = TempDir::with_prefix("bench-overload-")?;
        let offset = port_offset.to_string();
        let process = cores
            .command(binary)
            .args(["up", "--processes", "--port-offset", &offset, "--state-dir"])
            .arg(state.path())
            // The address of all shoppers is one: its budget would end the measurement.
            .args(["--set", "router.rate_limit.enabled=false"])
            .args(["--set", "loms.share_percent=100"])
            .args(["--set", "router.stream.total_max=30000"])
            .args(settings.iter().flat_map(|it| ["--set", it]))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} does not start", binary.display()))?;
        let mut server = Self {
            process,
            state,
            services: Vec::new(),
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
                server.services = server.running();
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("the marketplace is not ready after {START:?}")
    }

    /// A path on one of its ports.
    pub(crate) fn at(&self, port: u16, path: &str) -> String {
        format!("http://{}{path}", self.address(port))
    }

    /// The address of one of its ports.
    pub(crate) fn address(&self, port: u16) -> String {
        format!("127.0.0.1:{}", port + self.port_offset)
    }

    fn running(&self) -> Vec<u32> {
        let files = fs::read_dir(self.state.path().join("run"));
        let files = files.into_iter().flatten().filter_map(Result::ok);
        let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
        let mut ids: Vec<u32> = texts
            .filter_map(|text| text.split_whitespace().next()?.parse().ok())
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Whether the processes are those of the start.
    pub(crate) fn is_as_started(&self) -> bool {
        self.running() == self.services
    }

    /// The memory that its services hold, in MiB: the largest of them, which is how a leak would show.
    pub(crate) fn memory(&self) -> u64 {
        let resident = |id: &u32| -> Option<u64> {
            let text = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
            let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        let largest = self.services.iter().filter_map(resident).max();
        largest.unwrap_or_default() / 1024
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
