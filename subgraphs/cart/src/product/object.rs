//! A product in the graph, as far as it is known: the entity that other subgraphs refer to.

use ::schema::{code::ErrorCode, id::Sku};
use async_graphql::{Context, Enum, ID, Object, Result};
use catalogue::{Error, Product, Products};
use chassis::{
    fault::{self, Coded},
    graphql::Money,
};

use super::warning::warn_if_stale;

/// A language of names, by ISO 639-1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum)]
pub(crate) enum Language {
    /// Russian: what a product is called where no language is asked for.
    #[default]
    Ru,
    /// English.
    En,
}

impl Language {
    fn name(self, product: &Product) -> String {
        let translated = match self {
            Self::Ru => None,
            Self::En => product.name_en.as_ref(),
        };
        translated.unwrap_or(&product.name).to_string()
    }
}

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
    async fn name(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "In which language; a product without a name in it is called as in the default one.",
            default_with = "Some(Language::Ru)"
        )]
        language: Option<Language>,
    ) -> Result<Option<String>> {
        let found = self.find(ctx).await?;
        Ok(found.map(|product| language.unwrap_or_default().name(&product)))
    }

    /// What one unit costs. Null, with an error, as `name` is.
    async fn price(&self, ctx: &Context<'_>) -> Result<Option<Money>> {
        let found = self.find(ctx).await?;
        Ok(found.map(|product| Money::units(i64::from(product.price))))
    }
}
