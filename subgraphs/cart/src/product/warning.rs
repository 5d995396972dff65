//! Tells a GraphQL client that it reads old data: `extensions.warnings`, an entry a product, with code `STALE_PRODUCT`.
//!
//! The data itself stays where it always is: a cart is listed in an outage as on any other day, and who cares how old its
//! prices are can see it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use ::schema::id::Sku;
use async_graphql::{
    Context, Request, Response, ServerResult, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextPrepareRequest, NextRequest},
    value,
};

use super::Product;

/// Warnings of one answer; further products are old without being named.
const WARNINGS_MOST: usize = 50;

/// The schema extension that adds the warnings to the response.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Warnings;

#[derive(Debug, Clone, Default)]
struct Stale(Arc<Mutex<BTreeSet<Sku>>>);

impl ExtensionFactory for Warnings {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Stale::default())
    }
}

#[async_trait::async_trait]
impl Extension for Stale {
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
        let warnings: Vec<Value> = {
            let skus = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            skus.iter().copied().map(warning).collect()
        };
        if warnings.is_empty() {
            return response;
        }
        response.extension("warnings", Value::List(warnings))
    }
}

fn warning(sku: Sku) -> Value {
    value!({
        "code": "STALE_PRODUCT",
        "message": "the product service is out of reach: name and price are from before",
        "sku": sku.to_string(),
    })
}

/// Notes for the response that this product may be out of date, if so.
pub(crate) fn note(ctx: &Context<'_>, product: &Product) {
    if product.stale
        && let Some(Stale(skus)) = ctx.data_opt::<Stale>()
    {
        let mut skus = skus.lock().unwrap_or_else(PoisonError::into_inner);
        if skus.len() < WARNINGS_MOST {
            skus.insert(product.sku);
        }
    }
}
