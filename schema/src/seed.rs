//! The real catalogue and stock data that a new marketplace starts with. Source: docs/contracts.md §4 and §5.

use serde::Deserialize;

/// One product of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Product {
    /// Stock keeping unit.
    pub sku: i64,
    /// Name as the shop shows it; any UTF-8.
    pub name: String,
    /// The same in English.
    pub name_en: String,
    /// Price in whole currency units.
    pub price: i64,
}

/// One row of stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Stock {
    /// Stock keeping unit.
    pub sku: i64,
    /// Units in the warehouse.
    pub total: i64,
    /// Units reserved before any order; one row has more than its total on purpose.
    pub reserved: i64,
}

/// The catalogue, ascending by SKU.
#[must_use]
pub fn products() -> Vec<Product> {
    let mut rows: Vec<Product> = serde_json::from_str(include_str!("../seed/products.json"))
        .expect("the seed is part of the build and tested");
    rows.sort_by_key(|row| row.sku);
    rows
}

/// The stock rows, ascending by SKU.
#[must_use]
pub fn stocks() -> Vec<Stock> {
    let mut rows: Vec<Stock> = serde_json::from_str(include_str!("../seed/stocks.json"))
        .expect("the seed is part of the build and tested");
    rows.sort_by_key(|row| row.sku);
    rows
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_seed_holds_the_rows_that_clients_pin() {
        let price = |sku| {
            products()
                .into_iter()
                .find(|row| row.sku == sku)
                .map(|row| row.price)
        };
        assert_eq!(price(1_076_963), Some(3379));
        assert_eq!(price(139_275_865), Some(634));
        let stock = |sku| stocks().into_iter().find(|row| row.sku == sku);
        let stock = |sku| stock(sku).map(|row| (row.total, row.reserved));
        assert_eq!(stock(139_819_069), Some((100, 100)), "reserved whole");
        assert_eq!(stock(139_818_428), Some((100, 101)), "over-reserved");
        assert_eq!(stock(5_097_510), None, "a product without a stock row");
        assert_eq!(stock(1_625_903), Some((10_000, 0)), "not in the catalogue");
    }

    #[test]
    fn a_new_marketplace_has_a_shop_full_of_goods() {
        let products = products();
        let skus: BTreeSet<i64> = products.iter().map(|row| row.sku).collect();
        assert_eq!((products.len(), skus.len()), (68, 68), "each SKU once");
        for row in &products {
            assert!(!row.name.trim().is_empty() && !row.name_en.trim().is_empty());
            assert!(row.name_en.chars().all(|sign| !('а'..='я').contains(&sign)));
        }
        let on_sale = |row: &&Stock| row.total > row.reserved && skus.contains(&row.sku);
        let sold_out = products.len() - stocks().iter().filter(on_sale).count();
        assert!(sold_out <= 5, "{sold_out} products are sold out");
    }
}
