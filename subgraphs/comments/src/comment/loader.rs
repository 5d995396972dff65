//! Batches: what many entities of one request ask for becomes one statement a shard.
//!
//! Comments are public, so a batch may serve several requests; it caches nothing.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    sync::Arc,
};

use async_graphql::dataloader::Loader;
use chassis::fault::Coded;
use schema::{
    code::ErrorCode,
    id::{CommentId, Sku, UserId},
};

use super::{Comment, Comments, Error, ListOf, Page, PageRequest};

/// A failure that every member of a batch shares.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Shared(Arc<Error>);

impl Coded for Shared {
    fn code(&self) -> ErrorCode {
        self.0.code()
    }
}

impl From<Error> for Shared {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

/// Loads in batches.
#[derive(Debug)]
pub(crate) struct Batches(pub(crate) Comments);

/// One page of one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PageOf {
    pub(crate) list: ListOf,
    pub(crate) page: PageRequest,
}

impl Loader<PageOf> for Batches {
    // A shard that is down fails its own keys alone, so failure is a value.
    type Value = Result<Page, Shared>;
    type Error = Infallible;

    async fn load(&self, keys: &[PageOf]) -> Result<HashMap<PageOf, Self::Value>, Infallible> {
        let requests: HashSet<PageRequest> = keys.iter().map(|key| key.page).collect();
        let mut pages = HashMap::new();
        for page in requests {
            let lists = keys
                .iter()
                .filter(|key| key.page == page)
                .map(|key| key.list);
            let found = self.pages(Owners::of(lists), &page).await;
            pages.extend(
                found
                    .into_iter()
                    .map(|(list, outcome)| (PageOf { list, page }, outcome)),
            );
        }
        Ok(pages)
    }
}

impl Batches {
    async fn pages(
        &self,
        owners: Owners,
        page: &PageRequest,
    ) -> HashMap<ListOf, Result<Page, Shared>> {
        let by_sku = self.0.list_by_skus(&owners.skus, page).await.into_iter();
        let mut pages: HashMap<_, _> = by_sku
            .map(|(sku, page)| (ListOf::Sku(sku), page.map_err(Shared)))
            .collect();
        if !owners.authors.is_empty() {
            let by_author = self
                .0
                .list_by_authors(&owners.authors, page)
                .await
                .map_err(Shared::from);
            pages.extend(
                spread(&owners.authors, by_author)
                    .map(|(author, page)| (ListOf::Author(author), page)),
            );
        }
        pages
    }
}

/// How long one list is.
impl Loader<ListOf> for Batches {
    type Value = Result<u64, Shared>;
    type Error = Infallible;

    async fn load(&self, keys: &[ListOf]) -> Result<HashMap<ListOf, Self::Value>, Infallible> {
        let owners = Owners::of(keys.iter().copied());
        let mut totals = HashMap::new();
        if !owners.skus.is_empty() {
            let found = self
                .0
                .count_by_skus(&owners.skus)
                .await
                .map_err(Shared::from);
            totals
                .extend(spread(&owners.skus, found).map(|(sku, total)| (ListOf::Sku(sku), total)));
        }
        if !owners.authors.is_empty() {
            let found = self
                .0
                .count_by_authors(&owners.authors)
                .await
                .map_err(Shared::from);
            totals.extend(
                spread(&owners.authors, found)
                    .map(|(author, total)| (ListOf::Author(author), total)),
            );
        }
        Ok(totals)
    }
}

impl Loader<CommentId> for Batches {
    type Value = Comment;
    type Error = Shared;

    async fn load(&self, keys: &[CommentId]) -> Result<HashMap<CommentId, Comment>, Shared> {
        Ok(self.0.find_many(keys).await?)
    }
}

#[derive(Default)]
struct Owners {
    skus: Vec<Sku>,
    authors: Vec<UserId>,
}

impl Owners {
    fn of(lists: impl Iterator<Item = ListOf>) -> Self {
        let mut owners = Self::default();
        for list in lists {
            match list {
                ListOf::Sku(sku) => owners.skus.push(sku),
                ListOf::Author(author) => owners.authors.push(author),
            }
        }
        owners
    }
}

/// Gives every key its own value, the default where nothing was found, or the failure of all.
fn spread<K: Copy + Eq + std::hash::Hash, V: Default>(
    keys: &[K],
    found: Result<HashMap<K, V>, Shared>,
) -> impl Iterator<Item = (K, Result<V, Shared>)> {
    let mut found = found;
    keys.iter().map(move |&key| {
        let value = match &mut found {
            Ok(found) => Ok(found.remove(&key).unwrap_or_default()),
            Err(failure) => Err(failure.clone()),
        };
        (key, value)
    })
}
