//! The router's settings and their defaults; `marketplace config print` shows the same names.
//!
//! A setting is `router.<path>` in the file and `MARKETPLACE_ROUTER_<PATH>` in the environment. Every bound that a
//! client can meet is here, with the unit in its name or in its value (`"30s"`).

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

mod graph;

use chassis::admission;
use federation::EngineConfig;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::graph::{BUILT_IN, Reload, Subgraph, TrustedDocuments};

/// The router.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where clients find GraphQL, the playground and the tokens of the demo.
    pub listen: SocketAddr,
    /// Where operators find `/metrics`, `/livez`, `/readyz` and `/startupz`.
    pub admin_listen: SocketAddr,
    /// The graph that is served: `built-in`, which is the shop's own, or a supergraph from a file or an `http` or `https` URL.
    /// Both are looked at again by `router.supergraph_reload`; a good one replaces what is served, a bad one is refused and
    /// what is served stays. The last good one is kept in the state folder, for a start without the other.
    #[schemars(length(min = 1))]
    pub supergraph: String,
    /// How the supergraph is fetched again.
    pub supergraph_reload: Reload,
    /// How each subgraph is called, by its name.
    pub subgraphs: BTreeMap<String, Subgraph>,
    /// Where separate subgraphs are, by name, in place of what the supergraph says; unused for those that run in this process.
    #[schemars(with = "BTreeMap<String, url::Url>")]
    pub subgraph_urls: BTreeMap<String, String>,
    /// Operations that are known beforehand.
    pub trusted_documents: TrustedDocuments,
    /// Shows the plan of an operation in `extensions.queryPlan` to whoever sends `x-query-plan: true`; operators may see it anyway.
    /// Off in the profile `production` unless this is set.
    pub query_plan_enabled: bool,
    /// Takes an `authorization` that is no valid token of the shop's issuers for nobody's, rather than refuse it; subgraphs get it
    /// where `forward_headers` names it, and judge it themselves. For a graph whose users the shop does not know.
    pub foreign_tokens_enabled: bool,
    /// Serves the playground at `/`, the live page at `/live` and the shop at `/shop`; in the profile `production` only when this is set.
    pub playground_enabled: bool,
    /// Where the built playground is.
    pub playground: Playground,
    /// Where the operators' console is: `/ops` leads there, and its page may call. `up` sets it to its own.
    #[schemars(with = "Option<url::Url>")]
    pub console_url: Option<String>,
    /// How long a token of `POST /demo/token` is valid.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub demo_token_ttl: Duration,
    /// Planning and execution.
    pub engine: EngineConfig,
    /// GraphQL over HTTP.
    pub http: Http,
    /// GraphQL over WebSocket.
    pub websocket: WebSocket,
    /// Live subscriptions, over every transport.
    pub stream: Stream,
    /// How many requests are worked on at once, over GraphQL and REST together.
    pub admission: admission::Config,
    /// The cost budget of each caller.
    pub rate_limit: RateLimit,
    /// The REST listeners that existing clients use.
    pub rest: rest::Config,
}

/// Where the built playground is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Playground {
    /// The folder that `make playground` fills, relative to the working directory.
    pub dir: PathBuf,
}

/// GraphQL over HTTP.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// The longest request body; more is 413.
    #[schemars(range(min = 1))]
    pub body_limit_bytes: usize,
    /// How long a query or mutation may take, its body's arrival included.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub request_timeout: Duration,
    /// Connections that are served at once. One more takes the place of the oldest without a request in flight; it is
    /// refused with 503 when all have one.
    #[schemars(range(min = 1))]
    pub connections_max: usize,
    /// Pages of these origins may call; `*` allows all. The playground's own origin needs no entry.
    pub allowed_origins: Vec<String>,
    /// Names under which clients ask for this machine, for instance `["shop.example"]`: listeners on loopback answer to
    /// `localhost`, `127.0.0.1`, `[::1]` and these, others to every name while this is empty. Anything else is 421.
    pub allowed_hosts: Vec<String>,
    /// Networks of our own proxies, as `10.0.0.0/8`: behind one of them the caller's address is the last of
    /// `X-Forwarded-For` that is in none of these.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// How long requests in flight and streams may take to end at shutdown.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub drain_timeout: Duration,
    /// Whether answers and pages of 1 KiB or more are sent in gzip to clients whose `accept-encoding` takes it. Streams are
    /// never compressed.
    pub compress: bool,
}

/// GraphQL over WebSocket.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocket {
    /// How long a new socket may wait before `connection_init`; then 4408.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub init_timeout: Duration,
    /// How long a socket may run no operation before it is closed with 1000.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub idle_timeout: Duration,
    /// Operations that one socket may run at once.
    #[schemars(range(min = 1))]
    pub operations_max: usize,
}

/// Live subscriptions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stream {
    /// How often an idle stream sends a heartbeat.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub heartbeat_interval: Duration,
    /// How long a client may read nothing before its stream is closed with a cursor to resume from.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub slow_client_timeout: Duration,
    /// How long the entities of one frame may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub frame_timeout: Duration,
    /// Events of one stream that are resolved at once; their order stays.
    #[schemars(range(min = 1))]
    pub concurrent_frames: usize,
    /// Calls that the frames of all streams make at one subgraph at once, each for the entities of many; the others wait. Queries
    /// and mutations do not count, and do not wait for them.
    #[schemars(range(min = 1))]
    pub frame_calls_max: usize,
    /// Frames of all streams whose entities are fetched at once; the others wait.
    #[schemars(range(min = 1))]
    pub frame_fetches_max: usize,
    /// The most of them that are for one caller.
    #[schemars(range(min = 1))]
    pub frame_fetches_per_caller_max: usize,
    /// How long a frame may wait while its caller's cost budget is spent; then the stream is closed with a cursor to resume
    /// from.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub charge_timeout: Duration,
    /// How long a stream that resumes waits to be opened while a service is away or too busy, rather than be refused; then its
    /// client is told to come back.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub resume_timeout: Duration,
    /// Streams that one caller may hold.
    #[schemars(range(min = 1))]
    pub per_caller_max: usize,
    /// Streams that this process holds.
    #[schemars(range(min = 1))]
    pub total_max: usize,
    /// The log of recent events, which all streams read.
    pub log: order_stream::Config,
}

/// The cost budget of each caller: a fixed window.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// Refuses a caller that has spent its budget; the costs are counted either way.
    pub enabled: bool,
    /// What one caller may spend in a window.
    #[schemars(range(min = 1))]
    pub budget: u64,
    /// The window's length.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub window: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let separate = [("cart", 4101), ("loms", 4102), ("comments", 4103)];
        let url = |port: u16| format!("http://127.0.0.1:{port}/graphql");
        Self {
            listen: local(4000),
            admin_listen: local(4001),
            supergraph: BUILT_IN.to_owned(),
            supergraph_reload: Reload::default(),
            subgraphs: BTreeMap::new(),
            subgraph_urls: separate
                .map(|(name, port)| (name.to_owned(), url(port)))
                .into(),
            trusted_documents: TrustedDocuments::default(),
            query_plan_enabled: true,
            foreign_tokens_enabled: false,
            playground_enabled: true,
            playground: Playground::default(),
            console_url: None,
            demo_token_ttl: Duration::from_hours(12),
            engine: EngineConfig::default(),
            http: Http::default(),
            websocket: WebSocket::default(),
            stream: Stream::default(),
            admission: admission::Config::default(),
            rate_limit: RateLimit::default(),
            rest: rest::Config::default(),
        }
    }
}

impl Default for Playground {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("router/web/dist"),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            body_limit_bytes: 1024 * 1024,
            request_timeout: Duration::from_secs(30),
            connections_max: 20_000,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            allowed_hosts: Vec::new(),
            drain_timeout: Duration::from_secs(3),
            compress: true,
        }
    }
}

impl Default for WebSocket {
    fn default() -> Self {
        Self {
            init_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_mins(10),
            operations_max: 100,
        }
    }
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(12),
            slow_client_timeout: Duration::from_secs(30),
            frame_timeout: Duration::from_secs(10),
            concurrent_frames: 16,
            frame_calls_max: 8,
            frame_fetches_max: 256,
            frame_fetches_per_caller_max: 32,
            charge_timeout: Duration::from_secs(90),
            resume_timeout: Duration::from_secs(10),
            per_caller_max: 1_000,
            total_max: 20_000,
            log: order_stream::Config::default(),
        }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            enabled: true,
            budget: 1_000_000,
            window: Duration::from_mins(1),
        }
    }
}
