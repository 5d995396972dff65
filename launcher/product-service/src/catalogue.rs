//! The products: read once, found by SKU, listed by keyset.

use std::{collections::BTreeMap, ops::Bound};

use serde::Serialize;
use utoipa::ToSchema;

/// A product as callers get it; its SKU, name and price are always there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Product {
    /// Stock keeping unit, at least 1.
    #[schema(minimum = 1, example = 1_076_963)]
    pub sku: i64,
    /// What the product is called; any UTF-8.
    pub name: String,
    /// What one unit costs, in whole currency units.
    #[schema(minimum = 0, example = 3379)]
    pub price: i64,
    /// The name in other languages, by ISO 639-1; only where the request asks for translations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({"en": "The Theory of Moral Sentiments | Adam Smith"}), required = false)]
    pub translations: BTreeMap<&'static str, String>,
}

impl Product {
    /// As a client that knows of no translations reads it: exactly the three fields of the contract.
    #[must_use]
    pub fn without_translations(mut self) -> Self {
        self.translations.clear();
        self
    }
}

/// The first SKU of a made-up product: above all that the project keeps.
pub const FIRST_GENERATED: i64 = 4_000_000_001;

/// All products, ascending by SKU.
#[derive(Debug)]
pub struct Catalogue {
    by_sku: BTreeMap<i64, Product>,
}

impl Catalogue {
    /// The catalogue that the project keeps.
    #[must_use]
    pub fn seeded() -> Self {
        let product = |row: schema::seed::Product| Product {
            sku: row.sku,
            name: row.name,
            price: row.price,
            translations: BTreeMap::from([("en", row.name_en)]),
        };
        Self {
            by_sku: schema::seed::products()
                .into_iter()
                .map(|row| (row.sku, product(row)))
                .collect(),
        }
    }

    /// The same with `count` made-up products more, whose SKUs go up from [`FIRST_GENERATED`].
    #[must_use]
    pub fn with_generated(mut self, count: u32) -> Self {
        let products = (FIRST_GENERATED..).zip(1..=count).map(|(sku, number)| {
            let product = Product {
                sku,
                name: format!("Generated product {number}"),
                price: i64::from(number % 1_000) + 1,
                translations: BTreeMap::new(),
            };
            (sku, product)
        });
        self.by_sku.extend(products);
        self
    }

    /// Finds one product.
    #[must_use]
    pub fn find(&self, sku: i64) -> Option<&Product> {
        self.by_sku.get(&sku)
    }

    /// Lists up to `count` products behind `after`; 0 means from the head, and a SKU that is not in the catalogue
    /// gives nothing. Source: docs/contracts.md §2.
    #[must_use]
    pub fn list(&self, after: i64, count: usize) -> Vec<&Product> {
        let start = match after {
            0 => Bound::Unbounded,
            known if self.by_sku.contains_key(&known) => Bound::Excluded(known),
            _unknown => return Vec::new(),
        };
        self.by_sku
            .range((start, Bound::Unbounded))
            .map(|(_, product)| product)
            .take(count)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_ascend_and_join_without_gap_or_repeat() {
        let catalogue = Catalogue::seeded();
        let mut seen = Vec::new();
        let mut after = 0;
        loop {
            let page = catalogue.list(after, 10);
            let Some(last) = page.last() else { break };
            after = last.sku;
            seen.extend(page.iter().map(|product| product.sku));
        }
        assert_eq!(seen, catalogue.by_sku.keys().copied().collect::<Vec<_>>());
        assert_eq!(seen.len(), schema::seed::products().len());
    }

    #[test]
    fn a_page_behind_an_unknown_sku_is_empty() {
        assert!(Catalogue::seeded().list(5, 10).is_empty());
    }
}
