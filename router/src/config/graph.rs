//! Settings of the graph that is served, and of each of its subgraphs.

use std::{path::PathBuf, time::Duration};

use chassis::config::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The value of `router.supergraph` for the shop's own.
pub const BUILT_IN: &str = "built-in";

/// How the supergraph is fetched again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reload {
    /// How often the file is looked at, or the URL asked, and the trusted documents looked at. SIGHUP does so at once.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub interval: Duration,
    /// The longest supergraph that is taken in.
    #[schemars(range(min = 1))]
    pub bytes_max: usize,
    /// A header that the URL is asked with, as `name: value`: a registry's key, for instance.
    pub header: Secret,
}

/// How one subgraph is called, where that is not as `router.engine.fetch` says. The name `*` stands for every subgraph that has
/// no entry. In a variable the name is written in upper case and read in lower case.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Subgraph {
    /// The longest that one fetch may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Option<chassis::config::duration::AboveZero>")]
    pub timeout: Option<Duration>,
    /// Sends a fetch a second time where that can do no harm.
    pub retry_enabled: Option<bool>,
    /// Sends queries that are identical and asked at once a single time.
    pub coalescing_enabled: Option<bool>,
    /// Failures among the last 20 fetches that open the breaker; 0 leaves it out.
    pub breaker_failures: Option<u32>,
    /// HTTP/2 without negotiation; an `https` address negotiates it anyway.
    pub http2_prior_knowledge: Option<bool>,
    /// The longest answer that is read.
    pub max_response_bytes: Option<usize>,
    /// Where it takes subscriptions, where that is not its address: over WebSocket (`graphql-transport-ws`) at a `ws` or `wss`
    /// URL, and over SSE at an `http` or `https` one.
    #[schemars(with = "Option<url::Url>")]
    pub subscription_url: Option<String>,
    /// Names of headers of the client that are passed on. Another's subgraph gets none without this, not even
    /// `authorization`.
    pub forward_headers: Vec<String>,
    /// Headers that every fetch has, each as `name: value`.
    pub insert_headers: Vec<Secret>,
    /// Names of headers that it never gets.
    pub remove_headers: Vec<String>,
    /// Names of headers of its responses that the client of a query or a mutation gets: every `set-cookie`, and of others what came
    /// last.
    pub response_headers: Vec<String>,
    /// Codes of its errors that clients may read, each with its message; the shop's own table is known for the shop's
    /// subgraphs.
    pub public_codes: Vec<String>,
}

/// Operations that were written down before they are asked for, and are asked for by an id.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrustedDocuments {
    /// A manifest, either of Apollo's clients or a JSON object of texts by id, or a folder of `.graphql` files, whose ids are the
    /// SHA-256 of their texts. Empty: none. Others there are served without a restart; what cannot be read changes nothing.
    pub path: PathBuf,
    /// Serves these and nothing else over GraphQL.
    pub required: bool,
}

impl Default for Reload {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            bytes_max: 16 * 1024 * 1024,
            header: Secret::default(),
        }
    }
}
