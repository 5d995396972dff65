//! Tells a GraphQL client that it got an earlier answer: `extensions.idempotency.replayed: true`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_graphql::{
    Context, Request, Response, ServerResult, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextPrepareRequest, NextRequest},
    value,
};

use crate::Answered;

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
            return response.extension("idempotency", replayed());
        }
        response
    }
}

fn replayed() -> Value {
    value!({ "replayed": true })
}

/// Takes the answer out, and notes for the response that it was replayed.
pub fn mark<A>(ctx: &Context<'_>, answered: Answered<A>) -> A {
    if answered.replayed
        && let Some(Replayed(mark)) = ctx.data_opt::<Replayed>()
    {
        mark.store(true, Ordering::Relaxed);
    }
    answered.answer
}
