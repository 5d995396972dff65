//! Loads orders, their lines, prices and histories, and pages of orders for the fields of concurrent requests.
//!
//! The caller is part of an order's key, so a batch over several requests still gives each only what it may see. Whose
//! response it is belongs to the keys of what there may be many of, lines and pages: they are read a part at a time, and no
//! more for a response that cannot hold what was read. A history has a handful of rows, everything else one.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::Arc,
};

use ::schema::id::{OrderId, UserId};
use async_graphql::dataloader::{DataLoader, Loader};
use chassis::graphql::{ResponseCount, ResponseTooLarge};

use super::{Error, Order, OrderLine, Orders, Page, StatusChange, model::OrderKey};
use crate::loader::LoadError;

pub(crate) type OrderLoader = DataLoader<Orders>;

/// The most lists that one statement reads of: as many as a page of orders has, each with its lines.
const LISTS_OF_A_PART: usize = 100;

/// The lines of an order, for a response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct LinesOf {
    pub(crate) order: OrderId,
    pub(crate) response: ResponseCount,
}

/// A page of a user's orders, for a response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PageOf {
    pub(crate) user: UserId,
    pub(crate) after: Option<OrderId>,
    pub(crate) first: u32,
    pub(crate) response: ResponseCount,
}

/// The price of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TotalOf(pub(crate) OrderId);

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
    // A response that is over its budget fails its own keys alone, so that failure is a value.
    type Value = Result<Arc<[OrderLine]>, ResponseTooLarge>;
    type Error = LoadError<Error>;

    async fn load(&self, keys: &[LinesOf]) -> Result<HashMap<LinesOf, Self::Value>, Self::Error> {
        let mut waiting: BTreeMap<OrderId, Vec<&LinesOf>> = BTreeMap::new();
        for key in keys {
            waiting.entry(key.order).or_default().push(key);
        }
        let mut loaded = HashMap::with_capacity(keys.len());
        while !waiting.is_empty() {
            let orders = waiting.keys().copied().take(LISTS_OF_A_PART);
            for (order, lines) in self.first_lines(&orders.collect::<Vec<_>>()).await? {
                let lines: Arc<[OrderLine]> = lines.into();
                for key in waiting.remove(&order).unwrap_or_default() {
                    let counted = key.response.read(lines.len());
                    loaded.insert(key.clone(), counted.map(|()| Arc::clone(&lines)));
                }
            }
            waiting.retain(|_, keys| {
                keys.retain(|key| is_wanted(&key.response, *key, &mut loaded));
                !keys.is_empty()
            });
        }
        Ok(loaded)
    }
}

impl Loader<PageOf> for Orders {
    type Value = Result<Arc<Page>, ResponseTooLarge>;
    type Error = LoadError<Error>;

    async fn load(&self, keys: &[PageOf]) -> Result<HashMap<PageOf, Self::Value>, Self::Error> {
        let mut by_place: HashMap<_, Vec<&PageOf>> = HashMap::new();
        for key in keys {
            let place = (key.after, key.first);
            by_place.entry(place).or_default().push(key);
        }
        let mut loaded = HashMap::with_capacity(keys.len());
        for ((after, first), keys) in by_place {
            for keys in keys.chunks(LISTS_OF_A_PART) {
                let keys = keys.iter().copied();
                let wanted = keys.filter(|key| is_wanted(&key.response, *key, &mut loaded));
                let wanted: Vec<&PageOf> = wanted.collect();
                let users: Vec<UserId> = wanted.iter().map(|key| key.user).collect();
                let pages = self.list_of_each(&users, after, first).await?;
                for key in wanted {
                    let page = pages.get(&key.user).cloned().unwrap_or_default();
                    let counted = key.response.read(page.orders.len());
                    loaded.insert(key.clone(), counted.map(|()| page));
                }
            }
        }
        Ok(loaded)
    }
}

/// Whether a key's response can still hold something; if not, the key has failed.
fn is_wanted<K: Clone + Eq + Hash, V>(
    response: &ResponseCount,
    key: &K,
    loaded: &mut HashMap<K, Result<V, ResponseTooLarge>>,
) -> bool {
    let error = response.check().err();
    if let Some(error) = error {
        loaded.insert(key.clone(), Err(error));
    }
    error.is_none()
}

impl Loader<TotalOf> for Orders {
    type Value = Option<i64>;
    type Error = LoadError<Error>;

    async fn load(&self, keys: &[TotalOf]) -> Result<HashMap<TotalOf, Option<i64>>, Self::Error> {
        let ids: Vec<OrderId> = keys.iter().map(|key| key.0).collect();
        let totals = self.totals(&ids).await?.into_iter();
        Ok(totals.map(|(id, total)| (TotalOf(id), total)).collect())
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
