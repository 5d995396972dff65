//! The marketplace that is killed: a real `up --processes` with its own ports and folder, which restarts what dies. Its
//! stores are a private Postgres with fsync and a real Kafka.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chassis::clock::Clock;
use chassis::principal::{Scopes, ServiceSigner, Signer};
use dev_services::child::{Output, Supervised};
use dev_services::process::{Identity, Signal, send};
use load::Client;
use marketplace::cli::Common;
use marketplace::keys::Keys;
use marketplace::settings::Settings;
use reqwest::header::{HeaderName, HeaderValue};
use schema::id::UserId;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::clients::Clients;
use crate::point::Point;
use crate::schedule::Target;

/// How long a start may take on a busy machine.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// How long a clean stop may take; docs/reliability.md promises 10 s.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(10);

/// What an environment is started with.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// The binary with the crash points.
    pub(crate) program: PathBuf,
    /// Where data and logs go. It is removed first and created anew.
    pub(crate) folder: PathBuf,
    /// Added to every port.
    pub(crate) offset: u16,
    /// Whether changes of several orders share a transaction.
    pub(crate) group_commit: bool,
    /// Generated products, in addition to the catalogue's.
    pub(crate) products: u32,
}

/// A running marketplace.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) settings: Settings,
    folder: PathBuf,
    child: Supervised,
    issuer: Arc<Signer>,
    /// What a router shows itself by to its subgraphs.
    router: Option<ServiceSigner>,
}

impl Environment {
    /// Starts a new marketplace and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready; the message names its log.
    pub(crate) async fn start(setup: &Setup) -> anyhow::Result<Self> {
        let folder = setup.folder.clone();
        remove(&folder)?;
        let points = folder.join("points");
        std::fs::create_dir_all(&points).with_context(|| points.display().to_string())?;
        // Postgres runs under an account of its own, which must be able to reach its folder.
        let flags = Common {
            state_dir: Some(folder.join("state")),
            port_offset: Some(setup.offset),
            set: overrides(setup),
            ..Common::default()
        };
        let settings = Settings::load(&flags)?;
        let mut command = Command::new(&setup.program);
        command.args(["--state-dir", &folder.join("state").display().to_string()]);
        command.args(["--port-offset", &setup.offset.to_string()]);
        command.args(flags.set.iter().flat_map(|set| ["--set", set]));
        command
            .args(["up", "--processes"])
            .env("CRASH_POINTS", &points);
        let log = folder.join("up.log");
        let output = Output::Log(&log);
        let child = Supervised::start("marketplace", command, output, Signal::Term, None)?;
        let keys = Keys::open(&settings, &Clock::system())?;
        let mut environment = Self {
            issuer: keys.demo_issuer()?.context("the demo issuer is off")?,
            router: None,
            settings,
            folder,
            child,
        };
        environment.wait_ready().await?;
        // The start has emptied the folder.
        let folder = environment.settings.state_dir.join("keys/services");
        let router = ServiceSigner::announce("router", &folder, Clock::system())?;
        environment.router = Some(router);
        Ok(environment)
    }

    async fn wait_ready(&mut self) -> anyhow::Result<()> {
        let log = self.folder.join("up.log");
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            if said.contains("is ready after") {
                return Ok(());
            }
            if self.child.try_wait().is_some() || Instant::now() > deadline {
                bail!("the marketplace is not ready; see {}", log.display());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The router's address.
    pub(crate) fn router(&self) -> Url {
        local(self.settings.router.listen)
    }

    /// Clients of every protocol; `graphql` is the router's.
    ///
    /// # Errors
    /// When an address is not valid for a client.
    pub(crate) fn clients(&self, graphql: Client) -> anyhow::Result<Clients> {
        let (rest, loms) = (&self.settings.router.rest, &self.settings.loms);
        let (cart, gateway) = (local(rest.cart_listen), local(rest.loms_listen));
        Clients::new(graphql, cart, gateway, &local(loms.grpc_listen))
    }

    /// A token by the demo's issuer, valid for `ttl`.
    pub(crate) fn token(&self, user: i64, scopes: Scopes, ttl: Duration) -> String {
        let user = UserId::try_from(user).expect("users are numbered from 1");
        self.issuer
            .user_token(user, scopes, ttl)
            .expose()
            .to_owned()
    }

    /// What a router shows itself by to its subgraphs.
    pub(crate) fn router_header(&self) -> Option<(HeaderName, HeaderValue)> {
        self.router.as_ref().map(ServiceSigner::header)
    }

    /// The issuer of users' tokens, to be moved into tasks.
    pub(crate) fn issuer(&self) -> Arc<Signer> {
        Arc::clone(&self.issuer)
    }

    /// The process of `target`, or `None` while it is not running.
    pub(crate) fn find(&self, target: Target) -> Option<Identity> {
        let state = self.folder.join("state");
        let file = match target {
            Target::Kafka => state.join("kafka/pid"),
            Target::Postgres => self.postgres_pid_file()?,
            service => state.join(format!("run/{}.pid", service.name())),
        };
        Identity::find_running(&file)
    }

    /// Postgres' folder is in the state folder, or where its own account can reach it.
    fn postgres_pid_file(&self) -> Option<PathBuf> {
        let state = self.folder.join("state").canonicalize().ok()?;
        let apart = dev_services::state::system_dir(&state);
        let files = [state, apart].map(|base| base.join("postgres/pid"));
        files.into_iter().find(|file| file.exists())
    }

    /// Sends `target` SIGKILL as soon as it runs; false when it does not within `limit`.
    pub(crate) async fn kill(&self, target: Target, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(found) = self.find(target) {
                send(found.pid, Signal::Kill);
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            sleep(LOOK).await;
        }
    }

    /// Arms `point` and waits until a process reaches it; false when none does within `limit`.
    ///
    /// # Errors
    /// When the folder of the points cannot be written.
    pub(crate) async fn arm(&self, point: Point, limit: Duration) -> anyhow::Result<bool> {
        let (armed, taken) = self.point_files(point);
        File::create(&armed).with_context(|| armed.display().to_string())?;
        let deadline = Instant::now() + limit;
        while !taken.exists() {
            // The process takes the file by renaming it, so only one of the two can succeed.
            if Instant::now() > deadline && std::fs::remove_file(&armed).is_ok() {
                return Ok(false);
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(true)
    }

    /// Lets a process that waits at `point` continue, and makes the point ready to be armed again.
    pub(crate) fn release(&self, point: Point) {
        let (_, taken) = self.point_files(point);
        // Nobody waits when it is gone already.
        drop(std::fs::remove_file(taken));
    }

    fn point_files(&self, point: Point) -> (PathBuf, PathBuf) {
        let points = self.folder.join("points");
        let taken = points.join(format!("{}.hit", point.name()));
        (points.join(point.name()), taken)
    }

    /// How many deadlocks Postgres has found. They are counted in its log, because its counters do not survive a kill.
    pub(crate) fn deadlocks(&self) -> usize {
        let log = self.folder.join("state/logs/postgres.log");
        let text = std::fs::read(log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.matches("deadlock detected").count()
    }

    /// Stops everything, and kills it after [`STOP_LIMIT`].
    pub(crate) async fn stop(mut self) {
        self.child.stop(STOP_LIMIT).await;
    }
}

fn overrides(setup: &Setup) -> Vec<String> {
    let group_commit = setup.group_commit;
    vec![
        format!("loms.group_commit={group_commit}"),
        format!("product.generated={}", setup.products),
        // Orders expire during the round, so that the sweeper takes part in it.
        "loms.order_ttl=5s".to_owned(),
        "loms.expiry_interval=100ms".to_owned(),
        "loms.expiry_batch=4".to_owned(),
        "up.restart_pause_max=100ms".to_owned(),
        "cart.product_rate=10000".to_owned(),
        "loms.product_rate=10000".to_owned(),
        "router.rate_limit.enabled=false".to_owned(),
        "telemetry.log_filter=warn".to_owned(),
    ]
}

/// The URL of a listener on this machine.
pub(crate) fn local(address: std::net::SocketAddr) -> Url {
    Url::parse(&format!("http://{address}/")).expect("an address makes a URL")
}

/// Where this crate's build put the binary with the crash points: beside this one.
///
/// # Errors
/// When it is not there.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program's own path")?;
    let beside = own.with_file_name("marketplace-under-test");
    if !beside.exists() {
        bail!("{} is not built; `make chaos` builds it", beside.display());
    }
    Ok(beside)
}

/// Removes a round's folder, and what Postgres had elsewhere because its account could not get into that folder.
///
/// # Errors
/// When something in it cannot be removed.
pub(crate) fn remove(folder: &Path) -> anyhow::Result<()> {
    if let Ok(state) = folder.join("state").canonicalize() {
        let apart = dev_services::state::system_dir(&state);
        if apart.exists() {
            std::fs::remove_dir_all(&apart).with_context(|| apart.display().to_string())?;
        }
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}
