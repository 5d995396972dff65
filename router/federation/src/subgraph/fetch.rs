//! What a subgraph is asked, and the trait of whatever carries it.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::request::{OperationKind, RequestContext};
use crate::subgraph::error::FetchError;
use crate::subgraph::listener::Listener;

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
    /// The variable with the representations, where all that is asked for is one list of entities.
    pub entities: Option<Arc<str>>,
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

    /// Subscribes, and gives what the subgraph says from then on. One that does not implement it takes no subscriptions.
    ///
    /// # Cancel safety
    /// Nothing is left open by dropping it.
    fn listen<'a>(
        &'a self,
        _request: FetchRequest,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Listener, FetchError>> {
        Box::pin(std::future::ready(Err(FetchError::NoSubscriptions)))
    }
}
