//! A product as the catalogue knows it.

use std::sync::Arc;

use schema::id::Sku;

/// A product of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Stock keeping unit.
    pub sku: Sku,
    /// What it is called; any UTF-8.
    pub name: Arc<str>,
    /// What one unit costs, in whole currency units.
    pub price: u32,
    /// Whether this is what was known before the product service went out of reach.
    pub stale: bool,
}
