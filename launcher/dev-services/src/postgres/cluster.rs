//! The cluster's life: initdb or a copy of a primary, start, readiness, stop.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rand::Rng as _;
use sqlx::Connection as _;
use tokio::time::{Instant, sleep, timeout};

use super::discover::{self, Binaries};
use crate::account::Account;
use crate::child::{Output, STOP_LIMIT, Supervised, tail};
use crate::process::{Identity, Signal};
use crate::{Error, Progress, port, run};

const READY_LIMIT: Duration = Duration::from_secs(60);
/// The cluster's superuser, which the services use too.
const USER: &str = "marketplace";

/// Whether commits wait for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every commit reaches the disk before it is acknowledged.
    Fsync,
    /// Commits survive the death of processes, not of the machine. For throw-away test clusters.
    Volatile,
}

/// Where and how the cluster runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The cluster's own folder; the account must be able to reach it.
    pub dir: PathBuf,
    /// Its log file.
    pub log: PathBuf,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The folder with the binaries, when the user named one.
    pub pg_bin: Option<PathBuf>,
    /// Where fetched binaries are kept.
    pub cache: PathBuf,
    /// Who owns and runs it.
    pub account: Account,
    /// Whether commits wait for the disk.
    pub durability: Durability,
    /// A folder that is removed if this process dies without stopping the cluster.
    pub cleanup: Option<PathBuf>,
}

/// A running private cluster. Dropping it stops the cluster in the background.
#[derive(Debug)]
pub struct Cluster {
    settings: Settings,
    binaries: Binaries,
    url: String,
    child: Supervised,
}

impl Cluster {
    /// Finds binaries, makes the cluster if there is none, starts it and waits until it answers a query.
    ///
    /// # Errors
    /// When no binaries are found, or the cluster cannot be made or does not answer within 60 s.
    ///
    /// # Cancel safety
    /// Dropping the future leaves no process behind.
    pub async fn start(mut settings: Settings, progress: &Progress) -> Result<Self, Error> {
        let data = settings.dir.join("data");
        let made_by = std::fs::read_to_string(data.join("PG_VERSION")).ok();
        let made_by = made_by.and_then(|text| text.trim().parse().ok());
        let pg_bin = settings.pg_bin.as_deref();
        let binaries =
            discover::find_or_fetch(pg_bin, made_by, &settings.cache, settings.account, progress)
                .await?;
        if settings.port == 0 {
            settings.port = port::free();
        }
        if let Some(orphan) = Identity::find_running(&settings.dir.join("pid")) {
            progress.say(
                "postgres",
                "stopping the cluster that an earlier run left behind",
            );
            orphan.stop(Signal::Int, STOP_LIMIT, Signal::Quit).await;
        }
        if made_by.is_none() {
            progress.say("postgres", "making a new cluster");
            init(&settings, &binaries).await?;
        }
        progress.say("postgres", "starting");
        let child = spawn(&settings, &binaries)?;
        let url = url(&settings)?;
        let mut cluster = Self {
            settings,
            binaries,
            url,
            child,
        };
        cluster.wait_ready().await?;
        progress.say("postgres", "ready");
        Ok(cluster)
    }

    /// Makes a hot standby of `primary` by `pg_basebackup`, starts it and waits until it answers a query. It follows at once;
    /// [`Cluster::wait_for_standby`] makes the primary's commits wait for it.
    ///
    /// # Errors
    /// When `pg_basebackup` is missing or fails, or the standby does not answer within 60 s.
    ///
    /// # Cancel safety
    /// Dropping the future leaves no process behind.
    pub async fn start_standby(
        mut settings: Settings,
        primary: &Self,
        progress: &Progress,
    ) -> Result<Self, Error> {
        if settings.port == 0 {
            settings.port = port::free();
        }
        progress.say("postgres", "copying the primary");
        copy(&settings, primary).await?;
        let binaries = primary.binaries.clone();
        let child = spawn(&settings, &binaries)?;
        let url = url(&settings)?;
        let mut standby = Self {
            settings,
            binaries,
            url,
            child,
        };
        standby.wait_ready().await?;
        Ok(standby)
    }

    /// From now on a commit is acknowledged only once a standby has it on disk, too; waits until one follows.
    ///
    /// # Errors
    /// When the server refuses, or no standby follows within 60 s.
    pub async fn wait_for_standby(&self) -> Result<(), Error> {
        let told = "alter system set synchronous_standby_names = '*'";
        self.ask(told).await?;
        self.ask("select pg_reload_conf()").await?;
        let deadline = Instant::now() + READY_LIMIT;
        let follows = "select 1 / count(*) from pg_stat_replication where sync_state = 'sync'";
        while let Err(error) = self.ask(follows).await {
            if Instant::now() >= deadline {
                return Err(error);
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Makes a standby the primary, on a new timeline.
    ///
    /// # Errors
    /// When it is none, or takes longer than 60 s.
    pub async fn promote(&self) -> Result<(), Error> {
        // 1 / 0 is the simplest way to tell that it was not done.
        self.ask("select 1 / pg_promote(true, 60)::integer").await
    }

    /// Kills the server with SIGKILL and waits for its end; [`Cluster::restart`] brings it back with the same data.
    pub async fn kill(&mut self) {
        self.child.kill().await;
    }

    async fn ask(&self, sql: &'static str) -> Result<(), Error> {
        let failed = |error: sqlx::Error| Error::Failed {
            what: sql.to_owned(),
            output: error.to_string(),
        };
        let mut connection = sqlx::PgConnection::connect(&self.url)
            .await
            .map_err(failed)?;
        let asked = sqlx::query(sql).execute(&mut connection).await;
        asked.map_err(failed)?;
        connection.close().await.map_err(failed)
    }

    /// The server's URL with the maintenance database `postgres`; it carries the password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.settings.port
    }

    /// Which binaries it runs on.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.settings.dir.join("data")
    }

    /// The postmaster's pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Waits until the cluster ends by itself, which is always a fault. Cancel safe.
    pub async fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait().await
    }

    /// Starts a cluster that ended again, on the same port and data.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.child.stop(STOP_LIMIT).await;
        self.child = spawn(&self.settings, &self.binaries)?;
        self.wait_ready().await
    }

    /// Stops the cluster: the fast shutdown, then SIGKILL after `limit`.
    pub async fn stop(mut self, limit: Duration) {
        self.child.stop(limit).await;
    }

    async fn wait_ready(&mut self) -> Result<(), Error> {
        let log = self.settings.log.clone();
        let deadline = Instant::now() + READY_LIMIT;
        while !answers(&self.url).await {
            if self.child.try_wait().is_some() {
                return Err(Error::Exited {
                    service: "postgres",
                    tail: tail(&log),
                    log,
                });
            }
            if Instant::now() >= deadline {
                let seconds = READY_LIMIT.as_secs();
                return Err(Error::NotReady {
                    service: "postgres",
                    seconds,
                    log,
                });
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Whether a server answers a query within 2 s.
pub async fn answers(url: &str) -> bool {
    let asked = async {
        let mut connection = sqlx::PgConnection::connect(url).await.ok()?;
        sqlx::query("SELECT 1")
            .execute(&mut connection)
            .await
            .ok()?;
        connection.close().await.ok()
    };
    matches!(timeout(Duration::from_secs(2), asked).await, Ok(Some(())))
}

async fn init(settings: &Settings, binaries: &Binaries) -> Result<(), Error> {
    settings.account.own(&settings.dir)?;
    let password_file = settings.dir.join("password");
    let password: String = hex::encode(rand::rng().random::<[u8; 16]>());
    crate::state::create_secret(&password_file, &password)?;
    settings.account.own(&password_file)?;
    let mut command = Command::new(binaries.bin.join("initdb"));
    command.arg("-D").arg(settings.dir.join("data"));
    command.args([
        "-U",
        USER,
        "-E",
        "UTF8",
        "--no-locale",
        "--data-checksums",
        "--no-sync",
    ]);
    command.args(["--auth-local=reject", "--auth-host=scram-sha-256"]);
    command.arg(format!("--pwfile={}", password_file.display()));
    settings.account.apply(&mut command);
    // A half-made folder would be taken for a cluster by the next start.
    let made = run::to_end("initdb", &mut tokio::process::Command::from(command)).await;
    if let Err(error) = made {
        let data = settings.dir.join("data");
        if std::fs::remove_dir_all(&data).is_err() {
            tracing::debug!(path = %data.display(), "nothing to remove after a failed initdb");
        }
        return Err(error);
    }
    Ok(())
}

/// Copies the primary's data, with the password and how to follow it.
async fn copy(settings: &Settings, primary: &Cluster) -> Result<(), Error> {
    settings.account.own(&settings.dir)?;
    let given = primary.settings.dir.join("password");
    let password = std::fs::read_to_string(&given).map_err(Error::file(&given))?;
    let password_file = settings.dir.join("password");
    crate::state::create_secret(&password_file, password.trim())?;
    settings.account.own(&password_file)?;
    let mut command = Command::new(primary.binaries.bin.join("pg_basebackup"));
    command.arg("-D").arg(settings.dir.join("data"));
    command.args(["-h", "127.0.0.1", "-U", USER, "--no-password"]);
    command.args(["-p", &primary.settings.port.to_string()]);
    command.args(["--write-recovery-conf", "--wal-method=stream"]);
    command.args(["--checkpoint=fast", "--no-sync"]);
    command.env("PGPASSWORD", password.trim());
    settings.account.apply(&mut command);
    run::to_end("pg_basebackup", &mut tokio::process::Command::from(command)).await?;
    Ok(())
}

fn spawn(settings: &Settings, binaries: &Binaries) -> Result<Supervised, Error> {
    let mut command = Command::new(binaries.bin.join("postgres"));
    command
        .arg("-D")
        .arg(settings.dir.join("data"))
        .args(["-p", &settings.port.to_string()]);
    let fsync = match settings.durability {
        Durability::Fsync => ["fsync=on", "synchronous_commit=on", "full_page_writes=on"],
        Durability::Volatile => [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
        ],
    };
    let common = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=", // none: its path may be longer than the system allows
        "max_connections=200",
        "shared_buffers=64MB",
        "timezone=UTC",
        "log_min_messages=warning",
    ];
    for setting in common.into_iter().chain(fsync) {
        command.args(["-c", setting]);
    }
    settings.account.apply(&mut command);
    let output = Output::Log(&settings.log);
    let child = Supervised::start(
        "postgres",
        command,
        output,
        Signal::Int,
        settings.cleanup.as_deref(),
    )?;
    child.record(&settings.dir.join("pid"))?;
    Ok(child)
}

fn url(settings: &Settings) -> Result<String, Error> {
    let file = settings.dir.join("password");
    let password = std::fs::read_to_string(&file).map_err(Error::file(&file))?;
    Ok(format!(
        "postgres://{USER}:{}@127.0.0.1:{}/postgres",
        password.trim(),
        settings.port
    ))
}
