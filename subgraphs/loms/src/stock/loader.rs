//! Loads stock rows for the fields of concurrent requests.

use std::collections::HashMap;

use ::schema::id::Sku;
use async_graphql::dataloader::{DataLoader, Loader};

use super::{Counted, Error, Stocks};
use crate::loader::LoadError;

pub(crate) type StockLoader = DataLoader<Stocks>;

impl Loader<Sku> for Stocks {
    type Value = Counted;
    type Error = LoadError<Error>;

    async fn load(&self, skus: &[Sku]) -> Result<HashMap<Sku, Counted>, Self::Error> {
        let stocks = self.find_many(skus).await?.into_iter();
        Ok(stocks.map(|it| (it.stock.0.sku, it)).collect())
    }
}
