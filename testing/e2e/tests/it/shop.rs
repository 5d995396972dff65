//! A running marketplace: the real binary on ports and in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use dev_services::child::{Output, Supervised};
use dev_services::process::{Identity, Signal};
use serde_json::{Value, json};
use tempfile::TempDir;
pub(crate) use testkit::free_offset;
use tokio::sync::OnceCell;

use crate::process_tree;

/// How the services are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrangement {
    /// All in one process.
    Together,
    /// A process each.
    Processes,
}

/// A marketplace of the tests' own. It ends with the test process at the latest.
#[derive(Debug)]
pub(crate) struct Shop {
    offset: u16,
    state: PathBuf,
    log: PathBuf,
    child: Supervised,
    http: reqwest::Client,
}

impl Shop {
    /// The marketplace that most tests share; each takes users of its own.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Shop> = OnceCell::const_new();
        SHARED
            .get_or_init(|| Self::start(Arrangement::Together))
            .await
    }

    /// Starts one and waits until it is ready.
    pub(crate) async fn start(arrangement: Arrangement) -> Self {
        let folder = TempDir::with_prefix("marketplace-e2e-").unwrap().keep();
        Self::start_in(&folder, arrangement, free_offset(), &[]).await
    }

    /// Starts one in a folder that may hold an earlier one's data, with settings of its own.
    pub(crate) async fn start_in(
        folder: &Path,
        arrangement: Arrangement,
        offset: u16,
        set: &[String],
    ) -> Self {
        install_tls();
        let (state, log) = (folder.join("state"), folder.join("up.log"));
        let mut command = command(&state, offset);
        command.arg("up");
        command.args(set.iter().flat_map(|set| ["--set", set]));
        if arrangement == Arrangement::Processes {
            command.arg("--processes");
        }
        let output = Output::Log(&log);
        let child = Supervised::start("marketplace", command, output, Signal::Term, Some(folder));
        // Each test has a runtime of its own, which takes its connections with it: none is kept for another test.
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        let mut shop = Self {
            offset,
            state,
            log,
            child: child.unwrap(),
            http,
        };
        shop.wait_ready().await;
        shop
    }

    async fn wait_ready(&mut self) {
        let url = format!("{}/readyz", self.url(4000));
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            if let Ok(answer) = self.http.get(&url).send().await
                && answer.status() == 200
                && self.output().contains("is ready after")
            {
                return;
            }
            let ended = self.child.try_wait();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "not ready:\n{}",
                self.output()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The base URL of what listens on this port when nothing is moved.
    pub(crate) fn url(&self, port: u16) -> String {
        format!("http://127.0.0.1:{}", self.port(port))
    }

    pub(crate) fn port(&self, port: u16) -> u16 {
        port + self.offset
    }

    pub(crate) fn offset(&self) -> u16 {
        self.offset
    }

    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// What it printed.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The process of one service, with [`Arrangement::Processes`].
    pub(crate) fn service(&self, name: &str) -> Option<Identity> {
        Identity::find_running(&self.state.join("run").join(format!("{name}.pid")))
    }

    /// The address of its Postgres, password included: as the service file in the state folder has it.
    pub(crate) fn postgres_url(&self) -> String {
        let text = std::fs::read_to_string(self.state.join("pg_service.conf")).unwrap();
        let value = |name: &str| {
            let mut lines = text.lines();
            let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_else(|| panic!("no {name} in the service file"))
        };
        let [user, password] = [value("user"), value("password")];
        let [host, port] = [value("host"), value("port")];
        format!("postgres://{user}:{password}@{host}:{port}/")
    }

    /// Runs SQL in one of its databases; the rows, unaligned.
    pub(crate) async fn psql(&self, database: &str, sql: &str) -> String {
        let mut command = Command::new("psql");
        command
            .env("PGSERVICEFILE", self.state.join("pg_service.conf"))
            .env("PGSERVICE", "marketplace")
            .args(["-q", "-At", "-d", database, "-c", sql]);
        let output = run(command).await;
        assert!(output.status.success(), "{sql}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Every process that this marketplace runs, itself included.
    pub(crate) fn processes(&self) -> Vec<Identity> {
        let own = Identity::of(self.child.pid());
        own.into_iter()
            .chain(process_tree::below(self.child.pid()))
            .collect()
    }

    /// Stops it by SIGTERM; how long that took.
    pub(crate) async fn stop(mut self) -> Duration {
        let started = Instant::now();
        let status = self.child.stop(Duration::from_secs(15)).await;
        let took = started.elapsed();
        assert!(status.success(), "ended with {status}:\n{}", self.output());
        took
    }

    /// Stops it; what it was, to be asked for its ports and folder.
    pub(crate) async fn halt(mut self) -> Self {
        let status = self.child.stop(Duration::from_secs(15)).await;
        assert!(status.success(), "ended with {status}:\n{}", self.output());
        self
    }

    /// A token of the demo issuer.
    pub(crate) async fn token(&self, user: i64, ops: bool) -> String {
        let url = format!("{}/demo/token", self.url(4000));
        let body = json!({"user": user.to_string(), "ops": ops});
        let answer = self.http.post(url).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["token"].as_str().expect("a token").to_owned()
    }

    /// Runs an operation that must be answered without errors; its `data`.
    pub(crate) async fn graphql(&self, token: &str, query: &str, variables: Value) -> Value {
        let answer = self
            .try_graphql(token, query, variables)
            .await
            .expect("the router answers");
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].clone()
    }

    /// The same with the header `Idempotency-Key`.
    pub(crate) async fn graphql_with_key(&self, token: &str, query: &str, key: &str) -> Value {
        let url = format!("{}/graphql", self.url(4000));
        let request = self.http.post(url).bearer_auth(token);
        let request = request.header("idempotency-key", key);
        let response = request.json(&json!({"query": query})).send().await;
        let answer: Value = response.expect("the router answers").json().await.unwrap();
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].clone()
    }

    /// Runs an operation; the whole answer, or nothing when the router is not reached.
    pub(crate) async fn try_graphql(
        &self,
        token: &str,
        query: &str,
        variables: Value,
    ) -> Option<Value> {
        let url = format!("{}/graphql", self.url(4000));
        let body = json!({"query": query, "variables": variables});
        let request = self.http.post(url).bearer_auth(token).json(&body);
        request.send().await.ok()?.json().await.ok()
    }
}

/// The built binary with its state folder and ports.
pub(crate) fn command(state: &Path, offset: u16) -> Command {
    let tests = std::env::current_exe().unwrap();
    let binary = tests
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("marketplace");
    assert!(
        binary.exists(),
        "no {}: run `cargo build -p marketplace` first",
        binary.display()
    );
    let mut command = Command::new(binary);
    command
        .arg("--state-dir")
        .arg(state)
        .args(["--port-offset", &offset.to_string()]);
    // The playground's bundle is found from the project's root, as `make run` finds it.
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    command
        .env_remove("DATABASE_URL")
        .env_remove("KAFKA_BROKERS")
        // Short, so that the contract's case of a late edit ends soon; long enough for an edit in time.
        .env("MARKETPLACE_COMMENTS_EDIT_WINDOW", "2s");
    command
}

/// Runs a command to its end, off the reactor.
pub(crate) async fn run(mut command: Command) -> std::process::Output {
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    let run = tokio::time::timeout(Duration::from_secs(60), run).await;
    run.expect("it ends in time").unwrap()
}

/// A user whom nobody has been before.
pub(crate) fn new_user() -> i64 {
    rand::random_range(1_000_000..i64::MAX / 4)
}

/// Chooses the TLS library for the HTTP client, which wants one even for plain HTTP.
pub(crate) fn install_tls() {
    // The second call finds the first one's choice in place.
    let _installed = rustls::crypto::ring::default_provider()
        .install_default()
        .is_ok();
}
