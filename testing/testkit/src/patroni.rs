//! Two servers under Patroni with etcd: the engine by which operators run Postgres decides who the primary is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use dev_services::{
    account::Account,
    child::{Output, Supervised},
    environment, port, postgres,
    process::{Signal, send},
    program,
    state::StateDir,
};
use sqlx::Connection as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{eventually, services::temporary_state};

/// The superuser of the servers, and who replicates.
const USER: &str = "marketplace";
/// Known to nobody but one test's servers on loopback.
const PASSWORD: &str = "of-one-test";
/// How long anything may take that is waited for.
const LIMIT: Duration = Duration::from_secs(90);

/// Two servers, each with its own Patroni, and the etcd in which they agree. Their folders go with the process.
#[derive(Debug)]
pub struct Patroni {
    nodes: [Node; 2],
    etcd: Supervised,
    account: Account,
    state: StateDir,
}

#[derive(Debug)]
struct Node {
    port: u16,
    /// Of its Patroni, for questions.
    rest: u16,
    data: PathBuf,
    config: PathBuf,
    log: PathBuf,
    running: Option<Supervised>,
}

impl Patroni {
    /// Starts them on free ports; `None` where Patroni or etcd is not installed.
    ///
    /// # Panics
    /// When they do not start.
    pub async fn start() -> Option<Self> {
        let (patroni, etcd) = (program::find("patroni")?, program::find("etcd")?);
        let state = temporary_state().expect("a temporary folder");
        let account = Account::for_postgres().expect("an account for Postgres");
        let folder = state.for_account("patroni", account).expect("a folder");
        account.own(&folder).expect("a folder of the account's");
        let pg_bin = environment::pg_bin();
        let binaries = postgres::find(pg_bin.as_deref(), None).expect("Postgres is installed");
        let agreed_at = port::free();
        let etcd = start_etcd(&etcd, &folder, agreed_at, account, &state);
        let mut nodes = ["one", "two"].map(|name| {
            let node = Node::new(&folder, name, &state);
            let config = node.describe(name, agreed_at, &binaries.bin);
            fs::write(&node.config, config).expect("a file of settings");
            account
                .own(&node.config)
                .expect("settings of the account's");
            node
        });
        for node in &mut nodes {
            node.start(&patroni, account, &folder);
        }
        let servers = Self {
            nodes,
            etcd,
            account,
            state,
        };
        servers.wait_synchronous().await;
        Some(servers)
    }

    /// The URL of `database` on both.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let [one, two] = [0, 1].map(|node| self.nodes[node].port);
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{one},127.0.0.1:{two}/{database}")
    }

    /// Which of the two takes writes.
    pub async fn primary(&self) -> Option<usize> {
        for (index, node) in self.nodes.iter().enumerate() {
            if node.ask("select not pg_is_in_recovery()").await == Some(true) {
                return Some(index);
            }
        }
        None
    }

    /// Waits until a commit of the primary waits for the other, and all are agreed that the other may take over.
    ///
    /// # Panics
    /// When that takes longer than a minute and a half.
    pub async fn wait_synchronous(&self) {
        let follows = "select count(*) > 0 from pg_stat_replication where sync_state = 'sync'";
        eventually("a standby follows", LIMIT, async || {
            let primary = self.primary().await?;
            let is_followed = self.nodes[primary].ask(follows).await?;
            let is_agreed = self.nodes[1 - primary].is_synchronous().await?;
            (is_followed && is_agreed).then_some(())
        })
        .await;
    }

    /// Kills a server and its Patroni, as a machine that dies does.
    ///
    /// # Panics
    /// When the server has no process.
    pub async fn kill(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        let file = node.data.join("postmaster.pid");
        let text = fs::read_to_string(file).expect("a server that runs");
        let pid = text.lines().next().and_then(|pid| pid.parse().ok());
        if let Some(mut patroni) = node.running.take() {
            patroni.kill().await;
        }
        send(pid.expect("a pid"), Signal::Kill);
    }

    /// Starts a machine that died: its server follows the new primary.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn restart(&mut self, node: usize) {
        let patroni = program::find("patroni").expect("Patroni is installed");
        let folder = self.nodes[node].config.parent().expect("a folder");
        let folder = folder.to_owned();
        self.nodes[node].start(&patroni, self.account, &folder);
    }

    /// Ends all and removes their files.
    pub async fn stop(mut self) {
        for node in &mut self.nodes {
            if let Some(mut patroni) = node.running.take() {
                patroni.stop(LIMIT).await;
            }
        }
        self.etcd.stop(LIMIT).await;
        for folder in [self.state.root(), self.state.system()] {
            if folder.exists()
                && let Err(error) = fs::remove_dir_all(folder)
            {
                tracing::debug!(%error, "cannot remove a test folder");
            }
        }
    }
}

impl Node {
    fn new(folder: &Path, name: &'static str, state: &StateDir) -> Self {
        Self {
            port: port::free(),
            rest: port::free(),
            data: folder.join(name),
            config: folder.join(format!("{name}.yml")),
            log: state.log(name),
            running: None,
        }
    }

    /// Its settings. The shortest times that Patroni takes together: what is lost is not waited for longer than eight seconds.
    fn describe(&self, name: &str, etcd: u16, bin: &Path) -> String {
        let Self { port, rest, .. } = self;
        let folder = self.config.parent().expect("a folder");
        let [data, bin, folder] = [&self.data, bin, folder].map(|path| path.display().to_string());
        format!(
            "scope: marketplace
name: {name}
restapi: {{ listen: '127.0.0.1:{rest}', connect_address: '127.0.0.1:{rest}' }}
etcd3: {{ hosts: '127.0.0.1:{etcd}' }}
bootstrap:
  dcs:
    ttl: 8
    loop_wait: 1
    retry_timeout: 3
    synchronous_mode: true
    primary_start_timeout: 0
    postgresql: {{ use_pg_rewind: true }}
  initdb: [{{ encoding: UTF8 }}, data-checksums, {{ auth-local: trust }}, {{ auth-host: scram-sha-256 }}]
postgresql:
  listen: '127.0.0.1:{port}'
  connect_address: '127.0.0.1:{port}'
  data_dir: '{data}'
  bin_dir: '{bin}'
  pgpass: '{folder}/{name}.pgpass'
  parameters: {{ unix_socket_directories: '{folder}', max_connections: 100 }}
  pg_hba:
    - local all all trust
    - host all all 127.0.0.1/32 scram-sha-256
    - host replication all 127.0.0.1/32 scram-sha-256
  authentication:
    superuser: {{ username: {USER}, password: {PASSWORD} }}
    replication: {{ username: replicator, password: {PASSWORD} }}
"
        )
    }

    fn start(&mut self, patroni: &Path, account: Account, folder: &Path) {
        let mut command = Command::new(patroni);
        command.arg(&self.config);
        account.apply(&mut command);
        let log = Output::Log(&self.log);
        let started = Supervised::start("patroni", command, log, Signal::Term, Some(folder));
        self.running = Some(started.expect("Patroni starts"));
    }

    /// Whether its Patroni has read that it is the synchronous standby.
    async fn is_synchronous(&self) -> Option<bool> {
        let asked = async {
            let mut rest = TcpStream::connect(("127.0.0.1", self.rest)).await?;
            rest.write_all(b"GET /synchronous HTTP/1.0\r\n\r\n").await?;
            let mut answer = String::new();
            rest.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let answer = asked.await.ok()?;
        Some(answer.split(' ').nth(1) == Some("200"))
    }

    async fn ask(&self, sql: &'static str) -> Option<bool> {
        let url = format!(
            "postgres://{USER}:{PASSWORD}@127.0.0.1:{}/postgres",
            self.port
        );
        let asked = async {
            let mut connection = sqlx::PgConnection::connect(&url).await?;
            let row = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
            connection.close().await?;
            row
        };
        let asked = tokio::time::timeout(Duration::from_secs(2), asked).await;
        asked.ok()?.ok()
    }
}

fn start_etcd(
    etcd: &Path,
    folder: &Path,
    port: u16,
    account: Account,
    state: &StateDir,
) -> Supervised {
    let (clients, peers) = (
        format!("http://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{}", port::free()),
    );
    let mut command = Command::new(etcd);
    command.arg("--data-dir").arg(folder.join("etcd"));
    command.args(["--listen-client-urls", &clients]);
    command.args(["--advertise-client-urls", &clients]);
    command.args(["--listen-peer-urls", &peers]);
    command.args(["--initial-advertise-peer-urls", &peers]);
    command.args(["--initial-cluster", &format!("default={peers}")]);
    account.apply(&mut command);
    let log = state.log("etcd");
    let started = Supervised::start("etcd", command, Output::Log(&log), Signal::Term, None);
    started.expect("etcd starts")
}
