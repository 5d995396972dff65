//! GraphQL: the key comes as an argument or as a header, and `extensions.idempotency.replayed: true` marks a replay.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_graphql::{
    Context, Request, Response, ServerResult,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextPrepareRequest, NextRequest},
    value,
};

use chassis::graphql::IdempotencyKeyHeader;

use crate::{InvalidKey, Key, Recorded};

/// The request's idempotency key: the argument, else the header.
///
/// # Errors
/// [`InvalidKey`], whichever of the two it came in.
pub fn key(ctx: &Context<'_>, argument: Option<String>) -> Result<Option<Key>, InvalidKey> {
    let text = match argument {
        Some(text) => Some(text),
        None => ctx
            .data_opt::<IdempotencyKeyHeader>()
            .map(|header| String::from_utf8(header.0.clone()).map_err(|_| InvalidKey))
            .transpose()?,
    };
    text.map(Key::try_from).transpose()
}

/// The schema extension that adds the mark to the response.
#[derive(Debug, Clone, Copy, Default)]
pub struct Replays;

#[derive(Debug, Clone, Default)]
struct Replayed(Arc<AtomicBool>);

impl ExtensionFactory for Replays {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Replayed::default())
    }
}

#[async_trait::async_trait]
impl Extension for Replayed {
    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        next.run(ctx, request.data(self.clone())).await
    }

    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        let response = next.run(ctx).await;
        if self.0.load(Ordering::Relaxed) {
            return response.extension("idempotency", value!({ "replayed": true }));
        }
        response
    }
}

/// Takes the value out, and notes for the response whether it is a replay.
pub fn mark<A>(ctx: &Context<'_>, recorded: Recorded<A>) -> A {
    if recorded.replayed
        && let Some(Replayed(mark)) = ctx.data_opt::<Replayed>()
    {
        mark.store(true, Ordering::Relaxed);
    }
    recorded.value
}
