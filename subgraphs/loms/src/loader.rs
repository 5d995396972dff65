//! Batches what the fields of one request ask for: one statement for any number of orders or products.
//!
//! The caller is part of an order's key, so a batch over several requests still answers each as it may.

use std::{collections::HashMap, sync::Arc};

use ::schema::{
    code::ErrorCode,
    id::{OrderId, Sku},
};
use async_graphql::dataloader::{DataLoader, Loader};
use chassis::{fault::Coded, tasks::Tasks};
use loms_domain::stock::StockRow;
use tracing::Instrument as _;

use crate::{
    order::{self, Order, OrderLine, Orders, StatusChange, graphql::OrderKey},
    stock::{self, Stocks},
};

/// The order service's batches.
pub(crate) type Batches = DataLoader<Source>;

/// Where the batches read.
pub(crate) struct Source {
    pub(crate) orders: Orders,
    pub(crate) stocks: Stocks,
}

/// Batches that run as tasks which a drain waits for.
pub(crate) fn batches(orders: Orders, stocks: Stocks, tasks: &Tasks) -> Batches {
    let tasks = tasks.clone();
    DataLoader::new(Source { orders, stocks }, move |batch| {
        tasks.spawn("loms batch", batch.in_current_span())
    })
}

/// A failure that every field of the batch shares.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Order(Arc<order::Error>),
    #[error(transparent)]
    Stock(Arc<stock::Error>),
}

impl From<order::Error> for Failed {
    fn from(error: order::Error) -> Self {
        Self::Order(Arc::new(error))
    }
}

impl From<stock::Error> for Failed {
    fn from(error: stock::Error) -> Self {
        Self::Stock(Arc::new(error))
    }
}

impl Coded for Failed {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Order(error) => error.code(),
            Self::Stock(error) => error.code(),
        }
    }
}

/// The lines of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LinesOf(pub(crate) OrderId);

/// The history of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct HistoryOf(pub(crate) OrderId);

impl Loader<OrderKey> for Source {
    type Value = Order;
    type Error = Failed;

    async fn load(&self, keys: &[OrderKey]) -> Result<HashMap<OrderKey, Order>, Failed> {
        Ok(self.orders.find_many(keys).await?)
    }
}

impl Loader<LinesOf> for Source {
    type Value = Arc<[OrderLine]>;
    type Error = Failed;

    async fn load(&self, keys: &[LinesOf]) -> Result<HashMap<LinesOf, Arc<[OrderLine]>>, Failed> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let lines = self.orders.lines(&ids).await?;
        Ok(lines
            .into_iter()
            .map(|(id, lines)| (LinesOf(id), lines.into()))
            .collect())
    }
}

impl Loader<HistoryOf> for Source {
    type Value = Arc<[StatusChange]>;
    type Error = Failed;

    async fn load(
        &self,
        keys: &[HistoryOf],
    ) -> Result<HashMap<HistoryOf, Arc<[StatusChange]>>, Failed> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let history = self.orders.history(&ids).await?;
        Ok(history
            .into_iter()
            .map(|(id, changes)| (HistoryOf(id), changes.into()))
            .collect())
    }
}

impl Loader<Sku> for Source {
    type Value = StockRow;
    type Error = Failed;

    async fn load(&self, keys: &[Sku]) -> Result<HashMap<Sku, StockRow>, Failed> {
        let stocks = self.stocks.find_many(keys).await?;
        Ok(stocks
            .into_iter()
            .map(|stock| (stock.0.sku, stock.0))
            .collect())
    }
}
