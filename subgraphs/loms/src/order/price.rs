//! What the lines of an order cost: read from the catalogue, before any transaction is open.
//!
//! A customer of the public graph names goods, never prices. Existing clients of REST and gRPC price their orders themselves,
//! or leave them without a price. Source: docs/contracts.md §3.

use std::collections::HashMap;

use ::schema::{code::ErrorCode, id::Sku};
use catalogue::{Product, Products};
use chassis::fault::Coded;
use loms_domain::lines::{Line, Lines, LinesError, Price};

/// Why lines have no price.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// The catalogue does not have the product.
    #[error("sku {sku} is not in the catalogue")]
    ProductNotFound {
        /// What was asked for.
        sku: Sku,
        /// Its place among the lines as they were sent, from 0.
        line: usize,
    },
    /// The price is from before the product service went out of reach: good enough to read, not to order at.
    #[error("sku {sku} has no price of today")]
    Stale {
        /// The line's product.
        sku: Sku,
    },
    /// The order would cost more than an amount can be.
    #[error(transparent)]
    Lines(#[from] LinesError),
    /// The product service cannot be asked.
    #[error(transparent)]
    Catalogue(#[from] catalogue::Error),
}

impl Coded for PriceError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::ProductNotFound { .. } => ErrorCode::ProductNotFound,
            Self::Stale { .. } => ErrorCode::Unavailable,
            Self::Lines(_) => ErrorCode::InvalidArgument,
            Self::Catalogue(error) => error.code(),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        let path = match self {
            Self::ProductNotFound { line, .. } => {
                vec!["lines".to_owned(), line.to_string(), "sku".to_owned()]
            }
            Self::Lines(_) => vec!["lines".to_owned()],
            Self::Stale { .. } | Self::Catalogue(_) => return None,
        };
        Some(std::iter::once("input".to_owned()).chain(path).collect())
    }
}

/// The same lines with the catalogue's prices of today.
///
/// # Errors
/// [`PriceError`] of the first line that has none.
pub(super) async fn priced(lines: &Lines, products: &Products) -> Result<Lines, PriceError> {
    let skus: Vec<Sku> = lines.needs().skus().collect();
    let found = products.find_many(&skus).await?;
    let found: HashMap<Sku, Product> = found
        .into_iter()
        .filter_map(|(sku, product)| Some((sku, product?)))
        .collect();
    let line = |(line, wanted): (usize, &Line)| {
        let sku = wanted.sku;
        let product = found.get(&sku);
        let product = product.ok_or(PriceError::ProductNotFound { sku, line })?;
        if product.stale {
            return Err(PriceError::Stale { sku });
        }
        Ok(Line {
            unit_price: Some(Price::from(product.price)),
            ..*wanted
        })
    };
    let lines: Result<Vec<Line>, PriceError> =
        lines.as_sent().iter().enumerate().map(line).collect();
    Ok(Lines::new(lines?)?)
}
