//! A subgraph in this process: its schema is called, no HTTP is spoken.
//!
//! The caller goes along as request data, exactly as `chassis::graphql::subgraph_routes` puts it there for a
//! subgraph of its own process, so a resolver cannot tell the two apart.

use std::sync::Arc;

use bytes::Bytes;
use chassis::{
    deadline,
    graphql::{IdempotencyKeyHeader, LocalSubgraph, ResponseBudget, TraceParent},
    principal::Principal,
    telemetry::trace,
};
use federation::{
    RequestContext, Subgraph, Transport,
    subgraph::{FetchError, FetchRequest},
};
use futures::future::BoxFuture;

/// The transport to a schema of this process.
#[must_use]
pub fn transport(schema: LocalSubgraph) -> Transport {
    Transport::Custom(Arc::new(Local(schema)))
}

struct Local(LocalSubgraph);

impl Subgraph for Local {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        Box::pin(async move {
            let broken = |error: serde_json::Error| FetchError::Response(error.to_string());
            let variables = serde_json::from_slice(&request.variables).map_err(broken)?;
            let variables = async_graphql::Variables::from_json(variables);
            let mut call = async_graphql::Request::new(&*request.text).variables(variables);
            call = call.data(ResponseBudget(request.objects_max));
            if let Some(principal) = ctx.data.get::<Arc<Principal>>() {
                call = call.data(Arc::clone(principal));
            }
            if let Some(key) = ctx.data.get::<IdempotencyKeyHeader>() {
                call = call.data(key.clone());
            }
            if let Some(trace) = trace::current_or(ctx.traceparent.as_deref()) {
                call = call.data(TraceParent(trace));
            }
            let response = deadline::until(Some(ctx.wanted_until()), self.0.execute(call)).await;
            serde_json::to_vec(&response)
                .map(Bytes::from)
                .map_err(broken)
        })
    }
}
