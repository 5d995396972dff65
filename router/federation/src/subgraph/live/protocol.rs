//! What it takes to open a subscription at a subgraph, whatever carries it.

use std::fmt;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::subgraph::error::FetchError;

/// What an upstream brings: GraphQL responses as JSON, until it completes.
pub(in crate::subgraph) type Responses = BoxStream<'static, Result<Bytes, FetchError>>;

/// Opens upstreams of one protocol.
pub(in crate::subgraph) trait Protocol: Send + Sync {
    /// Opens one for a body `{"query":…,"variables":…}`; responses come until it completes or is lost.
    fn open(&self, asked: Asked) -> BoxFuture<'_, Result<Responses, FetchError>>;
}

// Not the values: some are secrets.
impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").finish_non_exhaustive()
    }
}

/// What is asked of an upstream. Equal ones are the same upstream.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::subgraph) struct Asked {
    pub(in crate::subgraph) body: Bytes,
    /// What the subgraph gets of the caller and by rule, sorted.
    pub(in crate::subgraph) headers: Vec<(String, Vec<u8>)>,
}
