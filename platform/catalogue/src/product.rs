//! A product as the catalogue knows it.

use std::sync::Arc;

use schema::id::Sku;

use crate::fold::fold_names;

/// A product of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Stock keeping unit.
    pub sku: Sku,
    /// What it is called; any UTF-8.
    pub name: Arc<str>,
    /// The same in English, where the product service has it.
    pub name_en: Option<Arc<str>>,
    /// What one unit costs, in whole currency units.
    pub price: u32,
    /// Whether this is what was known before the product service went out of reach.
    pub stale: bool,
    /// Both names, as a search reads them.
    pub(crate) folded: Arc<str>,
}

impl Product {
    /// A product as the product service knows it today; `price` in whole currency units.
    #[must_use]
    pub fn new(sku: Sku, name: &str, name_en: Option<&str>, price: u32) -> Self {
        Self {
            sku,
            name: name.into(),
            name_en: name_en.map(Arc::from),
            price,
            stale: false,
            folded: fold_names(name, name_en),
        }
    }
}
