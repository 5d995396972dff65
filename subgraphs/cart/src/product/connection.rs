//! A page of the catalogue: a place in it, and what is looked for.

use ::schema::id::Sku;
use async_graphql::{Context, Result, SimpleObject};
use catalogue::{Error, Product, Products, Search};
use chassis::{
    fault,
    graphql::{PageInfo, page},
};

use super::object::ProductObject;
use crate::loms::Loms;

/// A page of products.
#[derive(SimpleObject)]
pub(crate) struct ProductConnection {
    /// The products with their cursors.
    edges: Vec<ProductEdge>,
    /// The products alone.
    nodes: Vec<ProductObject>,
    /// Where this page stands.
    page_info: PageInfo,
    /// Products on all pages of this search.
    total_count: i32,
}

/// A product in a page.
#[derive(SimpleObject)]
pub(crate) struct ProductEdge {
    /// The place behind this product: pass it as `after`.
    cursor: String,
    /// The product.
    node: ProductObject,
}

/// What a page is a page of; products ascend by SKU, so a cursor keeps its place whatever comes or goes.
pub(crate) struct Listing {
    pub(crate) search: Option<Search>,
    /// Only what can be ordered now, or only what is sold out.
    pub(crate) in_stock: Option<bool>,
    pub(crate) first: u32,
    pub(crate) after: Option<Sku>,
}

impl Listing {
    /// Reads the page.
    ///
    /// # Errors
    /// Where the product service cannot be asked or, for `in_stock`, the order service: a list is whole or none.
    pub(crate) async fn read(self, ctx: &Context<'_>) -> Result<ProductConnection> {
        let products = ctx.data::<Products>()?;
        let is_counted = ctx.look_ahead().field("totalCount").exists();
        if self.search.is_none() && self.in_stock.is_none() && !is_counted {
            let listed = self.plain(products).await.map_err(fault::graphql)?;
            // Nobody asks how many there are.
            return Ok(self.page(&listed, 0));
        }
        let all = Search::default();
        let found = products.search(self.search.as_ref().unwrap_or(&all));
        let mut found = found.await.map_err(fault::graphql)?;
        if !is_counted {
            found.retain(|product| Some(product.sku) > self.after);
        }
        if let Some(wanted) = self.in_stock {
            let skus: Vec<Sku> = found.iter().map(|product| product.sku).collect();
            let in_stock = ctx.data::<Loms>()?.in_stock(&skus).await;
            let in_stock = in_stock.map_err(fault::graphql)?;
            found.retain(|product| in_stock.contains(&product.sku) == wanted);
        }
        let total = found.len();
        found.retain(|product| Some(product.sku) > self.after);
        Ok(self.page(&found, total))
    }

    /// One more than asked for tells whether there is another page.
    async fn plain(&self, products: &Products) -> Result<Vec<Product>, Error> {
        let listed = products.list(self.after, self.first + 1).await?;
        Ok(listed.to_vec())
    }

    /// `products` are those behind the cursor.
    fn page(&self, products: &[Product], total: usize) -> ProductConnection {
        let first = usize::try_from(self.first).unwrap_or(usize::MAX);
        let shown = &products[..products.len().min(first)];
        let cursor = |product: &Product| page::encode_cursor(&product.sku.to_string());
        let edge = |product: &Product| ProductEdge {
            cursor: cursor(product),
            node: ProductObject::Loaded(product.clone()),
        };
        ProductConnection {
            edges: shown.iter().map(edge).collect(),
            nodes: shown.iter().cloned().map(ProductObject::Loaded).collect(),
            page_info: PageInfo {
                has_next_page: products.len() > shown.len(),
                has_previous_page: self.after.is_some(),
                start_cursor: shown.first().map(cursor),
                end_cursor: shown.last().map(cursor),
            },
            total_count: i32::try_from(total).unwrap_or(i32::MAX),
        }
    }
}
