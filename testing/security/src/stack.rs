//! The marketplace under attack: a process for each service, in a folder of its own, its log kept for judgement.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use chassis::{clock::Clock, principal::ServiceSigner};
use reqwest::{
    Client,
    header::{HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use tempfile::TempDir;

const START: Duration = Duration::from_secs(180);
const STOP: Duration = Duration::from_secs(30);

/// A running marketplace. It is killed when dropped; [`Stack::stop`] stops it orderly.
#[derive(Debug)]
pub(crate) struct Stack {
    process: Child,
    folder: TempDir,
    offset: u16,
    pub(crate) http: Client,
    services: Vec<Service>,
    service: Option<ServiceSigner>,
}

/// One of its processes.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) pid: u32,
}

impl Stack {
    /// Starts `binary up --processes` with these settings, each `NAME=VALUE`, and waits until it is ready; with a Postgres of
    /// its own unless it gets the address of one.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) async fn start(
        binary: &Path,
        offset: u16,
        settings: &[&str],
        postgres: Option<&str>,
    ) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("security-")?;
        let log = File::create(folder.path().join("up.log"))?;
        let process = Command::new(binary)
            .args(["up", "--processes", "--port-offset", &offset.to_string()])
            .arg("--state-dir")
            .arg(folder.path().join("state"))
            // A budget would end the attack before it has tried anything.
            .args(["--set", "router.rate_limit.enabled=false"])
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            // A variable and no flag, which everybody on the machine could read.
            .envs(postgres.map(|address| ("DATABASE_URL", address)))
            .stdout(log.try_clone()?)
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("{} does not start", binary.display()))?;
        let mut stack = Self {
            process,
            folder,
            offset,
            http: Client::builder().timeout(Duration::from_secs(30)).build()?,
            services: Vec::new(),
            service: None,
        };
        stack.wait().await?;
        stack.service = Some(stack.service_key("router", Clock::system())?);
        stack.services = stack.running();
        ensure!(
            !stack.services.is_empty(),
            "no process of a service is known"
        );
        Ok(stack)
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

    /// `http://127.0.0.1:PORT` of what listens on `port` when nothing is moved.
    pub(crate) fn url(&self, port: u16) -> String {
        format!("http://{}", self.address(port))
    }

    /// The address of what listens on `port` when nothing is moved.
    pub(crate) fn address(&self, port: u16) -> String {
        format!("127.0.0.1:{}", port + self.offset)
    }

    /// What proves the router to the subgraphs' own ports, so that what lies behind can be tried, too.
    pub(crate) fn service_token(&self) -> Option<(HeaderName, HeaderValue)> {
        self.service.as_ref().map(ServiceSigner::header)
    }

    /// The folder with its keys.
    pub(crate) fn keys(&self) -> PathBuf {
        self.folder.path().join("state/keys")
    }

    /// A key that everybody believes to be that service's.
    ///
    /// # Errors
    /// When it cannot be laid beside the others.
    pub(crate) fn service_key(
        &self,
        name: &'static str,
        clock: Clock,
    ) -> anyhow::Result<ServiceSigner> {
        let folder = self.keys().join("services");
        Ok(ServiceSigner::announce(name, &folder, clock)?)
    }

    /// The processes of the services as they were at the start.
    pub(crate) fn services(&self) -> &[Service] {
        &self.services
    }

    fn running(&self) -> Vec<Service> {
        let folder = fs::read_dir(self.folder.path().join("state/run"));
        let files = folder.into_iter().flatten().filter_map(Result::ok);
        let mut services: Vec<Service> = files
            .filter_map(|file| {
                let name = file.file_name().into_string().ok()?;
                let name = name.strip_suffix(".pid")?.to_owned();
                let text = fs::read_to_string(file.path()).ok()?;
                let pid = text.split_whitespace().next()?.parse().ok()?;
                Some(Service { name, pid })
            })
            .collect();
        services.sort_by(|a, b| a.name.cmp(&b.name));
        services
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("up.log")).unwrap_or_default()
    }

    /// A token of the demo issuer.
    ///
    /// # Errors
    /// When the issuer gives none.
    pub(crate) async fn token(&self, user: i64, is_operator: bool) -> anyhow::Result<String> {
        let body = json!({"user": user.to_string(), "ops": is_operator});
        let request = self.http.post(format!("{}/demo/token", self.url(4000)));
        let answer: Value = request.json(&body).send().await?.json().await?;
        let token = answer["token"].as_str();
        Ok(token.context("the issuer gives no token")?.to_owned())
    }

    /// Fails when a process of a service has ended, also when it was started again.
    ///
    /// # Errors
    /// Names the processes.
    pub(crate) fn check_processes(&self) -> anyhow::Result<()> {
        let now = self.running();
        let pid_now = |name: &str| now.iter().find(|it| it.name == name).map(|it| it.pid);
        let ended = |it: &&Service| {
            pid_now(&it.name) != Some(it.pid) || !Path::new(&format!("/proc/{}", it.pid)).exists()
        };
        let ended: Vec<&str> = (self.services.iter().filter(ended))
            .map(|it| it.name.as_str())
            .collect();
        ensure!(
            ended.is_empty(),
            "ended or started again: {ended:?}\n{}",
            tail(&self.log())
        );
        Ok(())
    }

    /// Fails when the log tells of a panic or of a fault of ours.
    ///
    /// # Errors
    /// Shows the lines.
    pub(crate) fn check_log(&self) -> anyhow::Result<()> {
        let log = self.log();
        let is_fault = |line: &&str| line.contains("panicked at") || line.contains("code=INTERNAL");
        let faults: Vec<&str> = log.lines().filter(is_fault).take(20).collect();
        ensure!(
            faults.is_empty(),
            "the log tells of faults:\n{}",
            faults.join("\n")
        );
        Ok(())
    }

    /// Stops it as Ctrl-C does.
    ///
    /// # Errors
    /// When it does not end in time.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill")
            .arg(self.process.id().to_string())
            .status()?;
        let deadline = Instant::now() + STOP;
        while self.process.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "it did not stop within {STOP:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            // Nobody is left to be told.
            drop(self.process.kill());
        }
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
