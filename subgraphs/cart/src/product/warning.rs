//! Warns a GraphQL client that it reads old data: `extensions.warnings`, an entry a product, with code `STALE_PRODUCT`.
//!
//! The data itself stays where it always is: a cart is listed in an outage as on any other day, and a client that cares
//! how old its prices are can see it.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use ::schema::id::Sku;
use async_graphql::{Context, Value, value};
use catalogue::Product;
use chassis::graphql::{NoteExtension, ResponseNote, note};

/// Warnings of one response; further products are old without being named.
const MAX_WARNINGS: usize = 50;

/// The schema extension that adds the warnings to the response.
pub(crate) type Warnings = NoteExtension<StaleProducts>;

/// The products of one response that may be out of date.
#[derive(Debug, Default)]
pub(crate) struct StaleProducts(Mutex<BTreeSet<Sku>>);

impl ResponseNote for StaleProducts {
    const KEY: &'static str = "warnings";

    fn value(&self) -> Option<Value> {
        let skus = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let warnings: Vec<Value> = skus.iter().copied().map(warning).collect();
        (!warnings.is_empty()).then_some(Value::List(warnings))
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
pub(crate) fn warn_if_stale(ctx: &Context<'_>, product: &Product) {
    if product.stale
        && let Some(StaleProducts(skus)) = note(ctx)
    {
        let mut skus = skus.lock().unwrap_or_else(PoisonError::into_inner);
        if skus.len() < MAX_WARNINGS {
            skus.insert(product.sku);
        }
    }
}
