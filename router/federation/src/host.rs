//! What the process that embeds an engine provides: the error codes its clients know, and where metrics and traces go.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::request::Code;

/// What an engine is given besides its supergraph and its subgraphs. The default lets no code of a subgraph pass and
/// observes nothing.
#[derive(Clone)]
pub struct Host {
    /// Which errors of subgraphs clients may read.
    pub codes: PublicCodes,
    /// Who observes the engine at work.
    pub telemetry: Arc<dyn Telemetry>,
    /// What proves this process to subgraphs that are called by HTTP.
    pub credential: Option<Arc<dyn Credential>>,
}

/// What proves the calling process to a subgraph, beside what the caller's own headers prove.
pub trait Credential: Send + Sync {
    /// The header of the next fetch. Asked each time, because a credential may be short-lived.
    fn header(&self) -> (HeaderName, HeaderValue);
}

impl Default for Host {
    fn default() -> Self {
        Self {
            codes: PublicCodes::default(),
            telemetry: Arc::new(Unobserved),
            credential: None,
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("codes", &self.codes)
            .finish_non_exhaustive()
    }
}

/// The codes of subgraphs that reach clients, each with its message. An error with another code, or with none, is
/// written to the log and masked as [`Code::INTERNAL`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicCodes(Arc<HashSet<&'static str>>);

impl PublicCodes {
    /// The code of this name, if clients may read it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Code> {
        self.0.get(name).copied().map(Code::new)
    }
}

impl FromIterator<Code> for PublicCodes {
    fn from_iter<I: IntoIterator<Item = Code>>(codes: I) -> Self {
        Self(Arc::new(codes.into_iter().map(Code::as_str).collect()))
    }
}

/// How a fetch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchOutcome {
    /// The subgraph responded, with or without GraphQL errors.
    Responded,
    /// The subgraph was called and did not respond as a GraphQL server does.
    Failed,
    /// The breaker was open, so nobody was called.
    Refused,
}

/// Observes an engine; every method does nothing unless it is implemented. Called per operation, fetch and error, never
/// per field, and must not block.
pub trait Telemetry: Send + Sync {
    /// The trace context for what the current span calls, where the client sent `traceparent`.
    fn traceparent(&self, traceparent: Option<&str>) -> Option<String> {
        traceparent.map(str::to_owned)
    }

    /// A plan was found in the cache.
    fn plan_found(&self) {}

    /// A plan is not in the cache.
    fn plan_missed(&self) {}

    /// A plan was made in this time.
    fn planned(&self, _took: Duration) {}

    /// A subgraph will be called.
    fn subgraph_connected(&self, _subgraph: &str) {}

    /// A fetch ended, its retry included.
    fn fetched(&self, _subgraph: &str, _outcome: FetchOutcome, _took: Duration) {}

    /// So many fetches more were answered by one call that was made for another.
    fn fetches_saved(&self, _subgraph: &str, _count: u64) {}

    /// A fetch brought nothing, for this [reason](crate::subgraph::FetchError::reason). Also told of a response that turns out to be
    /// none when it is read, after [`Telemetry::fetched`] was told that it came.
    fn fetch_failed(&self, _subgraph: &str, _reason: &'static str) {}

    /// A fetch was not sent, because the answer to an identical one was on its way.
    fn fetch_shared(&self, _subgraph: &str) {}

    /// So many more subscriptions, or fewer, are open at a subgraph.
    fn upstreams(&self, _subgraph: &str, _change: i64) {}

    /// A subscription at a subgraph was lost; it is opened again.
    fn upstream_lost(&self, _subgraph: &str) {}

    /// The breaker of a subgraph opened or closed.
    fn breaker(&self, _subgraph: &str, _is_open: bool) {}

    /// So many errors stand beside data in a response, or were left off it because there are too many.
    fn errors(&self, _code: Code, _count: u64) {}
}

struct Unobserved;

impl Telemetry for Unobserved {}
