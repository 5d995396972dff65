//! Loads orders, their lines and their histories for the fields of concurrent requests.
//!
//! The caller is part of an order's key, so a batch over several requests still gives each only what it may see.

use std::{collections::HashMap, sync::Arc};

use ::schema::id::OrderId;
use async_graphql::dataloader::{DataLoader, Loader};

use super::{Error, Order, OrderLine, Orders, StatusChange, model::OrderKey};
use crate::loader::LoadError;

pub(crate) type OrderLoader = DataLoader<Orders>;

/// The lines of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LinesOf(pub(crate) OrderId);

/// The history of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct HistoryOf(pub(crate) OrderId);

impl Loader<OrderKey> for Orders {
    type Value = Order;
    type Error = LoadError<Error>;

    async fn load(&self, keys: &[OrderKey]) -> Result<HashMap<OrderKey, Order>, Self::Error> {
        Ok(self.find_many(keys).await?)
    }
}

impl Loader<LinesOf> for Orders {
    type Value = Arc<[OrderLine]>;
    type Error = LoadError<Error>;

    async fn load(
        &self,
        keys: &[LinesOf],
    ) -> Result<HashMap<LinesOf, Arc<[OrderLine]>>, Self::Error> {
        let ids: Vec<OrderId> = keys.iter().map(|key| key.0).collect();
        let lines = self.lines(&ids).await?.into_iter();
        Ok(lines
            .map(|(id, lines)| (LinesOf(id), lines.into()))
            .collect())
    }
}

impl Loader<HistoryOf> for Orders {
    type Value = Arc<[StatusChange]>;
    type Error = LoadError<Error>;

    async fn load(
        &self,
        keys: &[HistoryOf],
    ) -> Result<HashMap<HistoryOf, Arc<[StatusChange]>>, Self::Error> {
        let ids: Vec<OrderId> = keys.iter().map(|key| key.0).collect();
        let history = self.history(&ids).await?.into_iter();
        Ok(history
            .map(|(id, changes)| (HistoryOf(id), changes.into()))
            .collect())
    }
}
