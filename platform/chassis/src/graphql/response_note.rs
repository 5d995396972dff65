//! What resolvers note for the response: an entry in its `extensions`.
//!
//! Every request gets a fresh note, its resolvers write to it through [`note`], and [`NoteExtension`] adds what was
//! written to the response.

use std::{marker::PhantomData, sync::Arc};

use async_graphql::{
    Context, Request, Response, ServerResult, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextPrepareRequest, NextRequest},
};

/// Something that the resolvers of one request write and its response carries.
pub trait ResponseNote: Default + Send + Sync + 'static {
    /// Its key in the response's `extensions`.
    const KEY: &'static str;

    /// What the response carries; none when nothing was written.
    fn value(&self) -> Option<Value>;
}

/// The note of this request; none where the schema lacks its [`NoteExtension`].
#[must_use]
pub fn note<'ctx, N: ResponseNote>(ctx: &Context<'ctx>) -> Option<&'ctx N> {
    ctx.data_opt::<Arc<N>>().map(AsRef::as_ref)
}

/// The schema extension that gives requests their notes and adds them to the responses.
#[derive(Debug)]
pub struct NoteExtension<N>(PhantomData<fn() -> N>);

impl<N> NoteExtension<N> {
    /// For [`SchemaBuilder::extension`](async_graphql::SchemaBuilder::extension).
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<N> Default for NoteExtension<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: ResponseNote> ExtensionFactory for NoteExtension<N> {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(OfRequest(Arc::<N>::default()))
    }
}

struct OfRequest<N>(Arc<N>);

#[async_trait::async_trait]
impl<N: ResponseNote> Extension for OfRequest<N> {
    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        next.run(ctx, request.data(self.0.clone())).await
    }

    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        let response = next.run(ctx).await;
        match self.0.value() {
            Some(value) => response.extension(N::KEY, value),
            None => response,
        }
    }
}
