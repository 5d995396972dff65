//! Batches: what many entities of one request ask for becomes one statement a shard.
//!
//! Comments are public, so a batch may serve several requests; it caches nothing.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    sync::Arc,
};

use async_graphql::dataloader::Loader;
use chassis::{
    fault::Coded,
    graphql::{ResponseCount, ResponseTooLarge},
};
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

/// The most lists that one statement reads pages of.
const LISTS_OF_A_PART: usize = 100;

/// One page of one list, for a response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PageOf {
    pub(crate) list: ListOf,
    pub(crate) page: PageRequest,
    pub(crate) response: ResponseCount,
}

/// Why a page was not read.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum PageError {
    #[error(transparent)]
    Shared(#[from] Shared),
    /// The response could not hold it.
    #[error(transparent)]
    TooLarge(#[from] ResponseTooLarge),
}

impl Coded for PageError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Shared(error) => error.code(),
            Self::TooLarge(error) => error.code(),
        }
    }
}

/// Pages are read a part at a time, and no more of them for a response that cannot hold what was read.
impl Loader<PageOf> for Batches {
    // A shard that is down fails its own keys alone, and so does a response over its budget; so failure is a value.
    type Value = Result<Arc<Page>, PageError>;
    type Error = Infallible;

    async fn load(&self, keys: &[PageOf]) -> Result<HashMap<PageOf, Self::Value>, Infallible> {
        let mut by_place: HashMap<PageRequest, Vec<&PageOf>> = HashMap::new();
        for key in keys {
            by_place.entry(key.page).or_default().push(key);
        }
        let mut loaded = HashMap::with_capacity(keys.len());
        for (page, keys) in by_place {
            for keys in keys.chunks(LISTS_OF_A_PART) {
                let wanted = keys.iter().filter(|key| key.response.check().is_ok());
                let lists: HashSet<ListOf> = wanted.map(|key| key.list).collect();
                let pages = self.pages(Owners::of(lists.into_iter()), &page).await;
                loaded.extend(keys.iter().map(|&key| (key.clone(), of_key(key, &pages))));
            }
        }
        Ok(loaded)
    }
}

/// The page of a key among those that were read, counted for its response.
fn of_key(
    key: &PageOf,
    pages: &HashMap<ListOf, Result<Arc<Page>, Shared>>,
) -> Result<Arc<Page>, PageError> {
    let page = pages.get(&key.list).cloned().transpose()?;
    let page = page.unwrap_or_default();
    key.response.read(page.comments.len())?;
    Ok(page)
}

impl Batches {
    async fn pages(
        &self,
        owners: Owners,
        page: &PageRequest,
    ) -> HashMap<ListOf, Result<Arc<Page>, Shared>> {
        let by_sku = self.0.list_by_skus(&owners.skus, page).await.into_iter();
        let mut pages: HashMap<_, _> = by_sku
            .map(|(sku, page)| (ListOf::Sku(sku), page.map(Arc::new).map_err(Shared)))
            .collect();
        if !owners.authors.is_empty() {
            let by_author = self
                .0
                .list_by_authors(&owners.authors, page)
                .await
                .map_err(Shared::from);
            pages.extend(
                spread(&owners.authors, by_author)
                    .map(|(author, page)| (ListOf::Author(author), page.map(Arc::new))),
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
