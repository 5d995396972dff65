//! A subgraph in this process: its schema is called, no HTTP is spoken.
//!
//! The caller goes along as request data, exactly as `chassis::graphql::subgraph_routes` puts it there for a
//! subgraph of its own process, so a resolver cannot tell the two apart.

use bytes::Bytes;
use chassis::{graphql::LocalSubgraph, telemetry::trace};
use futures::future::BoxFuture;

use crate::engine::RequestContext;
use crate::subgraph::{FetchError, FetchRequest, Subgraph};

/// Calls a schema of this process.
pub(crate) struct Local(pub(crate) LocalSubgraph);

impl Subgraph for Local {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        Box::pin(async move {
            let broken = |error: serde_json::Error| FetchError::Answer(error.to_string());
            let variables = serde_json::from_slice(&request.variables).map_err(broken)?;
            let variables = async_graphql::Variables::from_json(variables);
            let mut call = async_graphql::Request::new(&*request.text).variables(variables);
            if let Some(principal) = &ctx.principal {
                call = call.data(principal.clone());
            }
            if let Some(key) = &ctx.idempotency_key {
                call = call.data(chassis::graphql::IdempotencyKeyHeader(
                    key.clone().into_bytes(),
                ));
            }
            if let Some(trace) = trace::current_or(ctx.traceparent.as_deref()) {
                call = call.data(chassis::graphql::TraceParent(trace));
            }
            let answer = self.0.execute(call).await;
            serde_json::to_vec(&answer).map(Bytes::from).map_err(broken)
        })
    }
}
