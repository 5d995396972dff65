//! The marketplace that is measured: a process group of its own in a folder of its own.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use chassis::{clock::Clock, principal::ServiceSigner};
use reqwest::{Client, header::HeaderMap};
use tempfile::TempDir;

const START: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(20);

/// A running marketplace.
#[derive(Debug)]
pub(crate) struct Shop {
    process: Child,
    _state: TempDir,
    service: ServiceSigner,
    pub(crate) client: Client,
    pub(crate) router: String,
    pub(crate) subgraph: String,
}

impl Shop {
    /// Starts `binary up --processes` and waits until it is ready.
    pub(crate) async fn start(binary: &Path, port_offset: u16) -> anyhow::Result<Self> {
        let state = TempDir::new()?;
        let process = Command::new(binary)
            .args([
                "up",
                "--processes",
                "--port-offset",
                &port_offset.to_string(),
                "--state-dir",
            ])
            .arg(state.path())
            // The budget of one caller would end the measurement.
            .args(["--set", "router.rate_limit.enabled=false"])
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| {
                format!(
                    "{} does not start; `make bench` builds it",
                    binary.display()
                )
            })?;
        let at = |port: u16, path: &str| format!("http://127.0.0.1:{}{path}", port + port_offset);
        let keys = state.path().join("keys/services");
        let mut shop = Self {
            process,
            service: ServiceSigner::announce("router", &keys, Clock::system())?,
            _state: state,
            client: Client::new(),
            router: at(4000, "/graphql"),
            subgraph: at(4101, "/graphql"),
        };
        shop.wait(&at(4000, "/readyz")).await?;
        // Each start of the services' processes empties the folder of keys.
        shop.service = ServiceSigner::announce("router", &keys, Clock::system())?;
        Ok(shop)
    }

    /// A client that a subgraph answers, for the next half minute.
    pub(crate) fn service_client(&self) -> anyhow::Result<Client> {
        let headers = HeaderMap::from_iter([self.service.header()]);
        Ok(Client::builder().default_headers(headers).build()?)
    }

    async fn wait(&mut self, ready: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait()? {
                bail!("the marketplace ended: {status}");
            }
            if matches!(self.client.get(ready).send().await, Ok(response) if response.status().is_success())
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the marketplace is not ready after {START:?}")
    }

    /// Stops it as Ctrl-C does, by its process id.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill")
            .arg(self.process.id().to_string())
            .status()?;
        let deadline = Instant::now() + STOP;
        while self.process.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.process.kill()?;
                bail!("the marketplace did not stop within {STOP:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}
