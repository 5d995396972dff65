//! Products in the graph: the catalogue's list, one product, and the entity that other subgraphs refer to.

use ::schema::{code::ErrorCode, id::Sku};
use async_graphql::{Context, ID, Object, Result, SimpleObject};
use catalogue::{Error, Product, Products};
use chassis::{
    fault::{self, Coded},
    graphql::{Money, PageInfo, page},
};

use super::warning::warn_if_stale;

/// A product of the catalogue, as far as it is known.
pub(crate) enum ProductObject {
    /// Looked up when its name or price is asked for.
    Reference(Sku),
    Loaded(Product),
    /// The catalogue does not have it.
    Missing(Sku),
    /// The look-up failed; a field that needs it says so.
    Failed(Sku, Error),
}

impl ProductObject {
    fn sku(&self) -> Sku {
        match self {
            Self::Reference(sku) | Self::Missing(sku) | Self::Failed(sku, _) => *sku,
            Self::Loaded(product) => product.sku,
        }
    }

    /// What the catalogue knows of it; `None`, with an error at the field that asks, where it does not have the SKU.
    async fn find(&self, ctx: &Context<'_>) -> Result<Option<Product>> {
        let found = match self {
            Self::Loaded(product) => {
                warn_if_stale(ctx, product);
                Some(product.clone())
            }
            Self::Missing(_) => None,
            Self::Failed(_, error) => return Err(fault::graphql(error.clone())),
            Self::Reference(sku) => find(ctx, *sku).await.map_err(fault::graphql)?,
        };
        if found.is_none() {
            let error = fault::graphql(NotInCatalogue(self.sku()));
            ctx.add_error(ctx.set_error_path(error.into_server_error(ctx.item.pos)));
        }
        Ok(found)
    }
}

/// Orders, stock and comments may name what the catalogue does not have: a documented state, and no fault of ours.
#[derive(Debug, thiserror::Error)]
#[error("the catalogue does not have product {0}")]
struct NotInCatalogue(Sku);

impl Coded for NotInCatalogue {
    fn code(&self) -> ErrorCode {
        ErrorCode::ProductNotFound
    }
}

/// Finds a product that a cart or an order refers to; `None` where the catalogue does not have it.
pub(crate) async fn find(ctx: &Context<'_>, sku: Sku) -> Result<Option<Product>, Error> {
    let product = ctx.data_unchecked::<Products>().find(sku).await?;
    if let Some(product) = &product {
        warn_if_stale(ctx, product);
    }
    Ok(product)
}

/// A product of the catalogue.
#[Object(name = "Product")]
impl ProductObject {
    /// Stock keeping unit: the product's id.
    #[graphql(name = "sku")]
    async fn sku_field(&self) -> ID {
        ID(self.sku().to_string())
    }

    /// What the product is called. Null, with an error `PRODUCT_NOT_FOUND`, for a SKU that the catalogue does not have,
    /// though orders, stock and comments may name it; null with another error while the catalogue cannot be asked.
    async fn name(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(self
            .find(ctx)
            .await?
            .map(|product| product.name.to_string()))
    }

    /// What one unit costs. Null, with an error, as `name` is.
    async fn price(&self, ctx: &Context<'_>) -> Result<Option<Money>> {
        let found = self.find(ctx).await?;
        Ok(found.map(|product| Money::units(i64::from(product.price))))
    }
}

/// A page of products.
#[derive(SimpleObject)]
pub(crate) struct ProductConnection {
    /// The products with their cursors.
    edges: Vec<ProductEdge>,
    /// The products alone.
    nodes: Vec<ProductObject>,
    /// Where this page stands.
    page_info: PageInfo,
}

/// A product in a page.
#[derive(SimpleObject)]
pub(crate) struct ProductEdge {
    /// The place behind this product: pass it as `after`.
    cursor: String,
    /// The product.
    node: ProductObject,
}

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

    /// The catalogue, ascending by SKU. Null, with an error, when it cannot be read.
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 1 to 100.", default = 20)] first: Option<i32>,
        #[graphql(desc = "The cursor to go on behind.")] after: Option<String>,
    ) -> Result<Option<ProductConnection>> {
        let first = page::first_or_default(first).map_err(fault::graphql)?;
        let after = after.as_deref().map(page::decode_cursor::<Sku>).transpose();
        let after = after.map_err(fault::graphql)?;
        // One more than asked for tells whether there is another page.
        let listed = ctx
            .data::<Products>()?
            .list(after, first + 1)
            .await
            .map_err(fault::graphql)?;
        let shown = &listed[..listed
            .len()
            .min(usize::try_from(first).unwrap_or(usize::MAX))];
        let more = listed.len() > shown.len();
        Ok(Some(ProductConnection::of(shown, more, after.is_some())))
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

impl ProductConnection {
    fn of(products: &[Product], more: bool, behind: bool) -> Self {
        let cursor = |product: &Product| page::encode_cursor(&product.sku.to_string());
        Self {
            edges: products
                .iter()
                .map(|product| ProductEdge {
                    cursor: cursor(product),
                    node: ProductObject::Loaded(product.clone()),
                })
                .collect(),
            nodes: products
                .iter()
                .cloned()
                .map(ProductObject::Loaded)
                .collect(),
            page_info: PageInfo {
                has_next_page: more,
                has_previous_page: behind,
                start_cursor: products.first().map(cursor),
                end_cursor: products.last().map(cursor),
            },
        }
    }
}
