//! Reading the ledger.

use ::schema::id::Sku;
use chassis::postgres::within;

use super::{
    Stocks,
    error::Error,
    model::{Counted, Stock},
    store,
};

impl Stocks {
    /// The row of `sku`, if LOMS keeps one.
    ///
    /// # Errors
    /// A failing database.
    pub async fn find(&self, sku: Sku) -> Result<Option<Stock>, Error> {
        let found = self.find_many(&[sku]).await?.pop();
        Ok(found.map(|counted| counted.stock))
    }

    /// The rows of `skus` with one statement, in no order; a SKU without a row is left out.
    ///
    /// # Errors
    /// A failing database.
    pub async fn find_many(&self, skus: &[Sku]) -> Result<Vec<Counted>, Error> {
        within(&self.db, store::find(&self.db, skus)).await
    }
}
