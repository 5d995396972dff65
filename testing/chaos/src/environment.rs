//! The marketplace that is killed: a real `up --processes` on ports and in a folder of its own, which starts again what
//! dies. Its stores are a private Postgres with fsync and a real Kafka.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chassis::clock::Clock;
use chassis::principal::{Scopes, Signer};
use dev_services::child::{Output, Supervised};
use dev_services::process::{Identity, Signal, send};
use load::Client;
use marketplace::cli::Common;
use marketplace::keys::Keys;
use marketplace::settings::Settings;
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

/// How an arena differs from another.
#[derive(Debug, Clone)]
pub(crate) struct Arrangement {
    /// The binary with the crash points.
    pub(crate) program: PathBuf,
    /// Where data and logs go; made anew.
    pub(crate) folder: PathBuf,
    /// How far its ports are moved.
    pub(crate) offset: u16,
    /// Whether changes of orders share transactions.
    pub(crate) group_commit: bool,
    /// The bug that is switched on, if any.
    pub(crate) mutant: Option<&'static str>,
    /// Made-up products, beside the catalogue's.
    pub(crate) products: u32,
}

/// A running marketplace.
#[derive(Debug)]
pub(crate) struct Arena {
    pub(crate) settings: Settings,
    folder: PathBuf,
    child: Supervised,
    issuer: Arc<Signer>,
    /// Signs what the router tells its subgraphs about their caller.
    router: Arc<Signer>,
}

impl Arena {
    /// Starts one from nothing and waits until it is ready.
    ///
    /// # Errors
    /// When it does not become ready; the message names its log.
    pub(crate) async fn start(arrangement: &Arrangement) -> anyhow::Result<Self> {
        let folder = arrangement.folder.clone();
        crate::remove(&folder)?;
        let points = folder.join("points");
        std::fs::create_dir_all(&points).with_context(|| points.display().to_string())?;
        // Postgres runs under an account of its own, which must be able to reach its folder.
        let flags = Common {
            state_dir: Some(folder.join("state")),
            port_offset: Some(arrangement.offset),
            set: overrides(arrangement),
            ..Common::default()
        };
        let settings = Settings::load(&flags)?;
        let mut command = Command::new(&arrangement.program);
        command.args(["--state-dir", &folder.join("state").display().to_string()]);
        command.args(["--port-offset", &arrangement.offset.to_string()]);
        command.args(flags.set.iter().flat_map(|set| ["--set", set]));
        command
            .args(["up", "--processes"])
            .env("CRASH_POINTS", &points);
        if let Some(mutant) = arrangement.mutant {
            command.env("MUTANT", mutant);
        }
        let log = folder.join("up.log");
        let output = Output::Log(&log);
        let child = Supervised::start("marketplace", command, output, Signal::Term, None)?;
        let keys = Keys::open(&settings, &Clock::system())?;
        let mut arena = Self {
            issuer: keys.demo_issuer.context("the demo issuer is off")?,
            router: keys.signer,
            settings,
            folder,
            child,
        };
        arena.wait_ready().await?;
        Ok(arena)
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

    /// The router.
    pub(crate) fn router(&self) -> Url {
        local(self.settings.router.listen)
    }

    /// Clients of every protocol, beside the router's.
    ///
    /// # Errors
    /// When an address makes no client.
    pub(crate) fn clients(&self, graphql: Client) -> anyhow::Result<Clients> {
        let (rest, loms) = (&self.settings.router.rest, &self.settings.loms);
        let (cart, gateway) = (local(rest.cart_listen), local(rest.loms_listen));
        Clients::new(graphql, cart, gateway, &local(loms.grpc_listen))
    }

    /// A token of the demo's issuer that is good for `ttl`.
    pub(crate) fn token(&self, user: i64, scopes: Scopes, ttl: Duration) -> String {
        let user = UserId::try_from(user).expect("users are numbered from 1");
        self.issuer
            .user_token(user, scopes, ttl)
            .expose()
            .to_owned()
    }

    /// A token with which the router asks a subgraph for `user`.
    pub(crate) fn router_token(&self, user: i64) -> String {
        let user = UserId::try_from(user).expect("users are numbered from 1");
        let token = self
            .router
            .user_token(user, Scopes::CUSTOMER, Duration::from_secs(60));
        token.expose().to_owned()
    }

    /// The makers of users' tokens, which outlive this borrow.
    pub(crate) fn issuer(&self) -> Arc<Signer> {
        Arc::clone(&self.issuer)
    }

    /// The process of `target`, if it runs now.
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

    /// Arms `point` and waits until a process has come to it; false when none did within `limit`.
    ///
    /// # Errors
    /// When the folder of the points cannot be written.
    pub(crate) async fn arm(&self, point: Point, limit: Duration) -> anyhow::Result<bool> {
        let (armed, taken) = self.point_files(point);
        File::create(&armed).with_context(|| armed.display().to_string())?;
        let deadline = Instant::now() + limit;
        while !taken.exists() {
            // Whoever renames the file first decides: the process that comes by, or we.
            if Instant::now() > deadline && std::fs::remove_file(&armed).is_ok() {
                return Ok(false);
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(true)
    }

    /// Lets a process that waits at `point` go on, and makes the point ready to be armed again.
    pub(crate) fn release(&self, point: Point) {
        let (_, taken) = self.point_files(point);
        // Gone already when nobody waits.
        drop(std::fs::remove_file(taken));
    }

    fn point_files(&self, point: Point) -> (PathBuf, PathBuf) {
        let points = self.folder.join("points");
        let taken = points.join(format!("{}.hit", point.name()));
        (points.join(point.name()), taken)
    }

    /// How many deadlocks Postgres has found. Its log survives its kills, its counters do not.
    pub(crate) fn deadlocks(&self) -> usize {
        let log = self.folder.join("state/logs/postgres.log");
        let text = std::fs::read(log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.matches("deadlock detected").count()
    }

    /// Stops everything; how long that took.
    pub(crate) async fn stop(mut self) -> Duration {
        let started = Instant::now();
        self.child.stop(STOP_LIMIT).await;
        started.elapsed()
    }
}

fn overrides(arrangement: &Arrangement) -> Vec<String> {
    let group_commit = arrangement.group_commit;
    vec![
        format!("loms.group_commit={group_commit}"),
        format!("product.generated={}", arrangement.products),
        // Orders run out while the round goes on, so that the sweeper takes part in it.
        "loms.order_ttl=5s".to_owned(),
        "loms.expiry_interval=100ms".to_owned(),
        "loms.expiry_batch=4".to_owned(),
        "up.restart_pause_max=100ms".to_owned(),
        "cart.product_rate=10000".to_owned(),
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
    match Path::new(&beside).exists() {
        true => Ok(beside),
        false => bail!("{} is not built; `make chaos` builds it", beside.display()),
    }
}
