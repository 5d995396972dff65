//! The gateways that are measured, each a process.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use chassis::{
    clock::Clock,
    principal::{Scopes, Signer},
};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};

use crate::args::Args;

const START: Duration = Duration::from_secs(60);
/// Longer than a run takes.
const TOKEN: Duration = Duration::from_hours(12);

/// Who asks. Without `Debug`, for it holds tokens.
pub(crate) struct Callers {
    signer: Signer,
    /// One for each connection.
    tokens: Vec<String>,
}

impl Callers {
    /// So many users of an issuer of their own.
    ///
    /// # Errors
    /// When a number is no user's.
    pub(crate) fn new(count: usize) -> anyhow::Result<Self> {
        let signer = Signer::generate(Clock::system());
        let scopes = Scopes {
            customer: true,
            ops: false,
        };
        let token = |number: usize| {
            let user = i64::try_from(number)?.try_into()?;
            let token = signer.user_token(user, scopes, TOKEN);
            anyhow::Ok(format!("Bearer {}", token.expose()))
        };
        let tokens = (1..=count).map(token).collect::<Result<_, _>>()?;
        Ok(Self { signer, tokens })
    }

    /// Writes the issuer's public key, for who checks tokens.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write_keys(&self, file: &Path) -> anyhow::Result<()> {
        let keys = serde_json::json!({ "keys": [self.signer.jwk()] });
        Ok(std::fs::write(file, keys.to_string())?)
    }
}

/// What is asked, and by whom.
pub(crate) struct Question<'a> {
    pub(crate) text: &'a str,
    /// Each connection is another user's; else nobody's.
    pub(crate) callers: Option<&'a Callers>,
}

impl Question<'_> {
    /// The body of its request.
    pub(crate) fn body(&self) -> String {
        serde_json::json!({ "query": self.text }).to_string()
    }

    /// The token of one connection.
    pub(crate) fn token(&self, number: usize) -> Option<&str> {
        let tokens = &self.callers?.tokens;
        tokens.get(number % tokens.len()).map(String::as_str)
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    /// Ours, each query sent to its subgraph whether or not it is just being asked.
    OursAlone,
    /// Another build of ours, alone.
    Before,
    HiveRouter,
    HiveRouterAlone,
    HiveGateway,
    ApolloGateway,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Ours,
        Self::OursAlone,
        Self::Before,
        Self::HiveRouter,
        Self::HiveRouterAlone,
        Self::HiveGateway,
        Self::ApolloGateway,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "this router",
            Self::OursAlone => "this router, without coalescing",
            Self::Before => "the other build, without coalescing",
            Self::HiveRouter => "Hive Router",
            Self::HiveRouterAlone => "Hive Router, without coalescing",
            Self::HiveGateway => "Hive Gateway",
            Self::ApolloGateway => "Apollo Gateway",
        }
    }

    /// Whether it runs without Node: gateways on Node are not asked what takes them minutes.
    pub(crate) const fn is_native(self) -> bool {
        !matches!(self, Self::HiveGateway | Self::ApolloGateway)
    }

    const fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::OursAlone | Self::Before)
    }

    /// The port that it listens on.
    pub(crate) fn port(self, args: &Args, position: u16) -> u16 {
        let port = args.port_offset + 100 * position;
        if self.is_ours() { port + 4_000 } else { port }
    }

    /// How it is started; `None` for one that is not on this machine.
    ///
    /// # Errors
    /// When a settings file cannot be written.
    pub(crate) fn command(
        self,
        args: &Args,
        supergraph: &Path,
        folder: &Path,
        position: u16,
    ) -> anyhow::Result<Option<Command>> {
        let port = self.port(args, position).to_string();
        let own = folder.join(position.to_string());
        std::fs::create_dir_all(&own)?;
        if !self.is_native() && !args.gateways.join("node_modules").is_dir() {
            return Ok(None);
        }
        let mut command = match self {
            Self::Ours | Self::OursAlone | Self::Before => {
                let binary = if self == Self::Before {
                    args.before.as_ref()
                } else {
                    Some(&args.binary)
                };
                let Some(binary) = binary else {
                    return Ok(None);
                };
                let mut command = Command::new(binary);
                let offset = (args.port_offset + 100 * position).to_string();
                command.args(["router", "--port-offset", &offset, "--state-dir"]);
                command.arg(&own).arg("--set");
                command.arg(format!("router.supergraph={}", supergraph.display()));
                // The benchmark's query costs more than the default lets pass, and all clients have one address.
                command.args(["--set", "router.engine.limits.cost=30000"]);
                // And the largest answer holds more than one may.
                command.args(["--set", "router.engine.limits.response_bytes=16777216"]);
                command.args(["--set", "router.engine.limits.response_objects=200000"]);
                command.args(["--set", "router.rate_limit.enabled=false"]);
                let is_shared = self == Self::Ours;
                let sharing = format!("router.engine.fetch.coalescing_enabled={is_shared}");
                command.args(["--set", &sharing]);
                let keys = format!("keys.jwks={}", folder.join(KEYS).display());
                command.args(["--set", &keys]);
                let settings = own.join("marketplace.toml");
                std::fs::write(
                    &settings,
                    "[router.subgraphs.\"*\"]\nforward_headers = [\"authorization\"]\n",
                )?;
                command.arg("--config").arg(settings);
                command
            }
            Self::HiveRouter | Self::HiveRouterAlone => {
                let Some(binary) = &args.hive_router else {
                    return Ok(None);
                };
                let is_shared = self == Self::HiveRouter;
                let settings = format!(
                    "traffic_shaping:\n  all:\n    dedupe_enabled: {is_shared}\n\
                     headers:\n  all:\n    request:\n      - propagate:\n          named: authorization\n"
                );
                std::fs::write(own.join("router.config.yaml"), settings)?;
                let mut command = Command::new(binary);
                command.current_dir(&own);
                command.env("SUPERGRAPH_FILE_PATH", supergraph);
                command.env("PORT", &port).env("HOST", "127.0.0.1");
                command
            }
            Self::HiveGateway => {
                let mut command = Command::new("node");
                command.arg(args.gateways.join("node_modules/.bin/hive-gateway"));
                command.arg("supergraph").arg(supergraph);
                command.args(["--port", &port, "--host", "127.0.0.1", "--fork", "1"]);
                command
            }
            Self::ApolloGateway => {
                let mut command = Command::new("node");
                command.arg(args.gateways.join("apollo.mjs"));
                command.arg(supergraph).arg(&port);
                command
            }
        };
        command
            .env("NODE_ENV", "production")
            .env("LOG_LEVEL", "error");
        command.stdin(Stdio::null());
        for output in [Command::stdout, Command::stderr] {
            output(&mut command, Stdio::null());
        }
        Ok(Some(command))
    }
}

/// The file with the keys of the callers' issuer, in the folder of a run.
pub(crate) const KEYS: &str = "callers.jwks";

/// A gateway that runs.
#[derive(Debug)]
pub(crate) struct Gateway {
    kind: Kind,
    process: Child,
    port: u16,
    path: &'static str,
    client: reqwest::Client,
}

/// What a process has used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// Processor time in seconds.
    pub(crate) seconds: f64,
    /// Resident memory in MiB.
    pub(crate) mib: u64,
}

impl Gateway {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) async fn start(kind: Kind, mut command: Command, port: u16) -> anyhow::Result<Self> {
        let path = if kind == Kind::ApolloGateway {
            "/"
        } else {
            "/graphql"
        };
        let process = command.spawn().with_context(|| format!("{command:?}"))?;
        let mut gateway = Self {
            kind,
            process,
            port,
            path,
            // Node closes what is idle for 5 s, which is about the time between two turns of a gateway.
            client: reqwest::Client::builder()
                .pool_idle_timeout(Duration::from_secs(2))
                .build()?,
        };
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if let Some(status) = gateway.process.try_wait()? {
                bail!("{} ended: {status}", kind.name());
            }
            let question = Question {
                text: "{ __typename }",
                callers: None,
            };
            if gateway.ask(&question).await.is_ok() {
                return Ok(gateway);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        gateway.process.kill()?;
        bail!("{} does not answer after {START:?}", kind.name());
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.kind.name()
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Where it takes requests.
    pub(crate) const fn path(&self) -> &'static str {
        self.path
    }

    /// Asks once; gives the answer's body.
    ///
    /// # Errors
    /// When it does not answer with success.
    pub(crate) async fn ask(&self, question: &Question<'_>) -> anyhow::Result<Vec<u8>> {
        let url = format!("http://127.0.0.1:{}{}", self.port, self.path);
        let mut request = self.client.post(url);
        if let Some(token) = question.token(0) {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.header(CONTENT_TYPE, "application/json");
        let response = request.body(question.body()).send().await?;
        ensure!(
            response.status().is_success(),
            "{} from {}",
            response.status(),
            self.name()
        );
        Ok(response.bytes().await?.into())
    }

    /// What its process has used so far.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        let folder = format!("/proc/{}", self.process.id());
        let stat = std::fs::read_to_string(format!("{folder}/stat"))?;
        // The name before it may hold spaces. Source: proc(5), fields 14 and 15, in hundredths of a second.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: f64 = ticks.filter_map(|it| it.parse::<f64>().ok()).sum();
        let status = std::fs::read_to_string(format!("{folder}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(Used {
            seconds: ticks / 100.0,
            mib: kib.unwrap_or_default() / 1024,
        })
    }

    /// Stops it.
    ///
    /// # Errors
    /// When it cannot be stopped.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}
