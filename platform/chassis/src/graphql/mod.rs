//! What the subgraphs share: value types, the caller, limits, and the two ways a subgraph is reached.

mod bounds;
mod budget;
mod entities;
mod forward;
mod money;
mod observe;
pub mod page;
mod response_note;
mod serve;
mod user_error;

use std::sync::Arc;

use async_graphql::{
    Context, EmptySubscription, Executor, ObjectType, Request, Response, SDLExportOptions, Schema,
    SchemaBuilder, SubscriptionType,
};
use futures::{FutureExt as _, future::BoxFuture};

pub use self::{
    budget::{RESPONSE_OBJECTS_MAX, ResponseBudget, ResponseCount, ResponseTooLarge},
    entities::Entities,
    forward::Forwarded,
    money::{Decimal, Money},
    page::PageInfo,
    response_note::{NoteExtension, ResponseNote, note},
    serve::subgraph_routes,
    user_error::{UserError, UserErrorCode},
};
use crate::{
    fault,
    principal::{Denied, Principal},
    telemetry::trace,
};

/// The `Idempotency-Key` header of the request as it came, put into the request's data by the transport. Whether it is a
/// key is for `idempotency` to say, so that a wrong one is refused and not lost.
#[derive(Debug, Clone)]
pub struct IdempotencyKeyHeader(pub Vec<u8>);

/// The `traceparent` header of the request, put into the request's data by the transport.
#[derive(Debug, Clone)]
pub struct TraceParent(pub String);

/// The caller.
///
/// # Errors
/// `UNAUTHENTICATED` when the request has no valid token.
pub fn principal<'a>(ctx: &Context<'a>) -> async_graphql::Result<&'a Arc<Principal>> {
    ctx.data_opt::<Arc<Principal>>()
        .ok_or_else(|| fault::graphql(Denied::Unauthenticated))
}

/// The W3C trace context for what the request calls: of its own span, else the one it came with.
#[must_use]
pub fn traceparent(ctx: &Context<'_>) -> Option<String> {
    let header = ctx.data_opt::<TraceParent>();
    trace::current_or(header.map(|header| header.0.as_str()))
}

/// The schema of a subgraph: bounds what one request may ask of it, where the router's own limits are tighter, and gives
/// each entity's errors their place.
#[must_use]
pub fn schema<Q, M>(query: Q, mutation: M) -> SchemaBuilder<Entities<Q>, M, EmptySubscription>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
{
    Schema::build(Entities(query), mutation, EmptySubscription)
        .enable_federation()
        .limit_depth(32)
        .limit_recursive_depth(64)
        .limit_directives(50)
        .limit_complexity(50_000)
        .extension(budget::BudgetExtension)
        .extension(entities::EntitiesExtension)
}

type Execute = dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync;

/// A subgraph that runs in this process. Clones share it.
#[derive(Clone)]
pub struct LocalSubgraph {
    name: &'static str,
    sdl: Arc<str>,
    execute: Arc<Execute>,
}

impl std::fmt::Debug for LocalSubgraph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalSubgraph")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl LocalSubgraph {
    /// Wraps a schema.
    #[must_use]
    pub fn new<Q, M, S>(name: &'static str, schema: Schema<Q, M, S>) -> Self
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        let sdl = Arc::from(sdl(&schema));
        let execute = Arc::new(move |request: Request| {
            let schema = schema.clone();
            async move { Executor::execute(&schema, request).await }.boxed()
        });
        observe::announce(name);
        Self { name, sdl, execute }
    }

    /// The subgraph's name in the supergraph.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs one operation. Dropping the future cancels it at its next await.
    pub async fn execute(&self, request: Request) -> Response {
        observe::subgraph(self.name, request, &*self.execute).await
    }

    /// The subgraph's SDL, as it is composed.
    #[must_use]
    pub fn sdl(&self) -> &str {
        &self.sdl
    }
}

/// The SDL of a schema in the form that the composition reads.
pub fn sdl<Q, M, S>(schema: &Schema<Q, M, S>) -> String
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    schema.sdl_with_options(SDLExportOptions::new().federation().compose_directive())
}
