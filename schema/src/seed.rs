//! The real catalogue and stock data that a new marketplace starts with. Source: docs/contracts.md §4 and §5.

use serde::Deserialize;

/// One product of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Product {
    /// Stock keeping unit.
    pub sku: i64,
    /// Name as the shop shows it; any UTF-8.
    pub name: String,
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
        assert_eq!(stocks().len(), 16);
        assert!(
            stocks().iter().any(|row| row.reserved > row.total),
            "the over-reserved row"
        );
    }
}
