//! One fetch: what a subgraph is asked, what it may bring, and the trait of whatever carries it.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::request::{OperationKind, RequestContext};

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
    /// How many objects its response may hold: more are not taken in, so a subgraph need not make them.
    pub objects_max: u64,
    /// Root fields as (response key, field name), for subgraphs that parse nothing.
    pub fields: Arc<[(String, String)]>,
}

/// Why a fetch failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The subgraph was not reached, so nothing happened; a retry is safe.
    #[error("not reachable: {0}")]
    Connect(String),
    /// The connection broke before the whole response was there: a mutation may have happened.
    #[error("connection lost: {0}")]
    Lost(String),
    /// The response is not what a GraphQL server sends.
    #[error("invalid response: {0}")]
    Response(String),
    /// It took too long.
    #[error("took longer than {0:?}")]
    Timeout(std::time::Duration),
    /// The breaker is open.
    #[error("breaker open")]
    BreakerOpen,
}

/// Executes subgraph operations.
pub trait Subgraph: Send + Sync {
    /// Runs one operation, and gives its GraphQL response as JSON.
    ///
    /// # Cancel safety
    /// A dropped query has no effect; a dropped mutation may have happened.
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>>;
}
