//! Loads stock rows for the fields of concurrent requests.

use std::collections::HashMap;

use ::schema::id::Sku;
use async_graphql::dataloader::{DataLoader, Loader};
use loms_domain::stock::StockRow;

use super::{Error, Stocks};
use crate::loader::LoadError;

pub(crate) type StockLoader = DataLoader<Stocks>;

impl Loader<Sku> for Stocks {
    type Value = StockRow;
    type Error = LoadError<Error>;

    async fn load(&self, skus: &[Sku]) -> Result<HashMap<Sku, StockRow>, Self::Error> {
        let stocks = self.find_many(skus).await?.into_iter();
        Ok(stocks.map(|stock| (stock.0.sku, stock.0)).collect())
    }
}
