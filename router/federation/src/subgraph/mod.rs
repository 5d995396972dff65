//! How a fetch reaches its subgraph.
//!
//! In: a precomputed operation, its variables as JSON and the caller. Out: the subgraph's JSON answer as bytes.

pub(crate) mod guard;
mod http;
mod local;
mod metrics;
mod own;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chassis::graphql::LocalSubgraph;
use futures::future::BoxFuture;
use url::Url;

pub use guard::FetchConfig;

use crate::engine::{RequestContext, RouterFields};
use crate::operation::OperationKind;

/// Where a subgraph is.
#[derive(Clone)]
pub enum Transport {
    /// In this process, called without HTTP.
    Local(LocalSubgraph),
    /// Elsewhere, by GraphQL over HTTP.
    Http(Url),
    /// Anything else that answers operations: the router's own fields, and fakes in tests.
    Custom(Arc<dyn Subgraph>),
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(_) => f.write_str("Local"),
            Self::Http(url) => write!(f, "Http({url})"),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}

/// One operation for one subgraph.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// The operation's text.
    pub text: Arc<str>,
    /// `{"query":"…","variables":`, the start of the HTTP body that goes with it.
    pub prefix: Bytes,
    /// Query or mutation.
    pub kind: OperationKind,
    /// The variables, a JSON object.
    pub variables: Bytes,
    /// Root fields as (response key, field name), for subgraphs that parse nothing.
    pub fields: Arc<[(String, String)]>,
}

/// Why a fetch brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nobody was reached, so nothing happened; a retry is safe.
    #[error("not reachable: {0}")]
    Connect(String),
    /// The connection broke before the whole answer was there: it may have happened.
    #[error("connection lost: {0}")]
    Lost(String),
    /// The answer is not what a GraphQL server sends.
    #[error("broken answer: {0}")]
    Answer(String),
    /// It took too long.
    #[error("took longer than {0:?}")]
    Timeout(std::time::Duration),
    /// The breaker is open.
    #[error("breaker open")]
    BreakerOpen,
}

/// Something that answers subgraph operations.
pub trait Subgraph: Send + Sync {
    /// Runs one operation; the answer is a GraphQL response as JSON.
    ///
    /// # Cancel safety
    /// A dropped query has no effect; a dropped mutation may have happened.
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>>;
}

/// The subgraph that the router answers itself.
pub(crate) const OWN: &str = "events";

/// Connects the transports, each behind its guards, and the router's own subgraph.
pub(crate) fn connect(
    transports: BTreeMap<String, Transport>,
    own: Arc<dyn RouterFields>,
    config: &FetchConfig,
) -> HashMap<String, Arc<dyn Subgraph>> {
    let mut subgraphs: HashMap<String, Arc<dyn Subgraph>> = HashMap::new();
    for (name, transport) in transports {
        let inner: Arc<dyn Subgraph> = match transport {
            Transport::Local(schema) => Arc::new(local::Local(schema)),
            Transport::Http(url) => Arc::new(http::Http::new(&url, config)),
            Transport::Custom(custom) => custom,
        };
        let guarded = guard::Guarded::new(&name, inner, config.clone());
        subgraphs.insert(name, Arc::new(guarded));
    }
    subgraphs
        .entry(OWN.to_owned())
        .or_insert_with(|| Arc::new(own::Own(own)));
    subgraphs
}
