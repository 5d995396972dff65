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
    /// Its HTTP status says that it failed, and its body is no GraphQL response.
    #[error("status {0}")]
    Status(u16),
    /// There is no response in the response.
    #[error("an empty response")]
    Empty,
    /// The response is longer than what is read.
    #[error("a response longer than {bytes_max} bytes (`fetch.max_response_bytes`)")]
    TooLong {
        /// The bound, in bytes.
        bytes_max: usize,
    },
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

impl FetchError {
    /// Every [`FetchError::reason`].
    pub const REASONS: [&str; 8] = [
        "unreachable",
        "lost",
        "status",
        "empty",
        "too_long",
        "invalid",
        "timeout",
        "breaker_open",
    ];

    /// One word for it, as metrics have it.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Connect(_) => "unreachable",
            Self::Lost(_) => "lost",
            Self::Status(_) => "status",
            Self::Empty => "empty",
            Self::TooLong { .. } => "too_long",
            Self::Response(_) => "invalid",
            Self::Timeout(_) => "timeout",
            Self::BreakerOpen => "breaker_open",
        }
    }
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
