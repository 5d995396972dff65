//! Products in the graph: the catalogue's list, one product, and the entity that other subgraphs refer to.

use ::schema::id::Sku;
use async_graphql::{Context, ID, Object, Result};
use catalogue::{Products, Search};
use chassis::{fault, graphql::page};

use super::{
    connection::{Listing, ProductConnection},
    object::ProductObject,
};

#[derive(Default)]
pub(crate) struct ProductQuery;

#[Object]
impl ProductQuery {
    /// A product, or null when the catalogue does not have it.
    async fn product(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Stock keeping unit.")] sku: ID,
    ) -> Result<Option<ProductObject>> {
        let Ok(sku) = sku.parse() else {
            return Ok(None);
        };
        let found = ctx
            .data::<Products>()?
            .find(sku)
            .await
            .map_err(fault::graphql)?;
        Ok(found.map(ProductObject::Loaded))
    }

    /// The catalogue, ascending by SKU. Null, with an error, when it cannot be read; with `inStock` also while the order
    /// service cannot say what is in stock.
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default = 20)] first: Option<i32>,
        #[graphql(desc = "The cursor to go on behind; one of the same search keeps its place.")]
        after: Option<String>,
        #[graphql(
            desc = "Words that are all in the product's names, in any language, case and accent; at most 100 characters."
        )]
        search: Option<String>,
        #[graphql(desc = "True for what can be ordered now, false for what is sold out.")]
        in_stock: Option<bool>,
    ) -> Result<Option<ProductConnection>> {
        let first = page::first_or_default(first).map_err(fault::graphql)?;
        let after = after.as_deref().map(page::decode_cursor::<Sku>).transpose();
        let search = search.as_deref().map(Search::new).transpose();
        let listing = Listing {
            search: search.map_err(fault::graphql)?,
            in_stock,
            first,
            after: after.map_err(fault::graphql)?,
        };
        Ok(Some(listing.read(ctx).await?))
    }

    /// Looked up one by one, at the same time; the client behind lets equal ones share a request. A product that cannot
    /// be looked up never fails its neighbours: it keeps its SKU, and the fields that need the look-up fail.
    #[graphql(entity)]
    async fn find_product_by_sku(&self, ctx: &Context<'_>, sku: ID) -> Option<ProductObject> {
        let sku: Sku = sku.parse().ok()?;
        match ctx.data_unchecked::<Products>().find(sku).await {
            Ok(Some(product)) => Some(ProductObject::Loaded(product)),
            Ok(None) => Some(ProductObject::Missing(sku)),
            Err(error) => Some(ProductObject::Failed(sku, error)),
        }
    }
}
