//! Lists of comments: by SKU from one shard, by author from all shards, merged.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures::future::{join_all, try_join_all};
use schema::id::{Sku, UserId};

use super::{Comment, Comments, Error, Page, PageRequest, store};
use crate::shard::{Shard, ShardIndex};

/// Whose comments a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListOf {
    /// Those on a product.
    Sku(Sku),
    /// Those of an author.
    Author(UserId),
}

impl Comments {
    /// A page for each of many products, with one statement a shard. A shard that does not answer fails its own
    /// products alone.
    pub async fn list_by_skus(
        &self,
        skus: &[Sku],
        page: &PageRequest,
    ) -> HashMap<Sku, Result<Page, Arc<Error>>> {
        let by_shard = self.by_shard(skus);
        let reads = by_shard.into_values().map(|(shard, skus)| async move {
            let rows = store::list_by_skus(&shard.db, &skus, page).await;
            (skus, rows)
        });
        let mut pages = HashMap::new();
        for (skus, outcome) in join_all(reads).await {
            match outcome {
                Ok(rows) => {
                    let mut rows = grouped(rows, |comment| comment.sku);
                    pages.extend(skus.into_iter().map(|sku| {
                        (
                            sku,
                            Ok(Page::of(rows.remove(&sku).unwrap_or_default(), page)),
                        )
                    }));
                }
                Err(error) => {
                    let error = Arc::new(Error::from(error));
                    pages.extend(skus.into_iter().map(|sku| (sku, Err(Arc::clone(&error)))));
                }
            }
        }
        pages
    }

    /// A page for each of many authors, with one statement on each shard, merged.
    ///
    /// # Errors
    /// [`Error::Store`] when any shard does not answer: a list with a hole would be a lie.
    pub async fn list_by_authors(
        &self,
        authors: &[UserId],
        page: &PageRequest,
    ) -> Result<HashMap<UserId, Page>, Error> {
        let reads = self
            .shards
            .all()
            .map(|shard| store::list_by_authors(&shard.db, authors, page));
        let rows = try_join_all(reads).await?.into_iter().flatten().collect();
        let mut rows = grouped(rows, |comment| comment.author);
        let merged = authors.iter().map(|&author| {
            let mut rows = rows.remove(&author).unwrap_or_default();
            rows.sort_unstable_by_key(|comment| {
                (Reverse(comment.created_at), comment.author, comment.id)
            });
            (author, Page::of(rows, page))
        });
        Ok(merged.collect())
    }

    /// How many comments each of the products has.
    ///
    /// # Errors
    /// [`Error::Store`] when a shard does not answer.
    pub async fn count_by_skus(&self, skus: &[Sku]) -> Result<HashMap<Sku, u64>, Error> {
        let by_shard = self.by_shard(skus);
        let reads = by_shard
            .into_values()
            .map(|(shard, skus)| async move { store::count_by_skus(&shard.db, &skus).await });
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }

    /// How many comments each of the authors wrote, over all shards.
    ///
    /// # Errors
    /// [`Error::Store`] when a shard does not answer.
    pub async fn count_by_authors(
        &self,
        authors: &[UserId],
    ) -> Result<HashMap<UserId, u64>, Error> {
        let reads = self
            .shards
            .all()
            .map(|shard| store::count_by_authors(&shard.db, authors));
        let mut totals = HashMap::new();
        for (author, count) in try_join_all(reads).await?.into_iter().flatten() {
            *totals.entry(author).or_default() += count;
        }
        Ok(totals)
    }

    fn by_shard(&self, skus: &[Sku]) -> BTreeMap<ShardIndex, (&Shard, Vec<Sku>)> {
        let mut by_shard = BTreeMap::new();
        for &sku in skus {
            let shard = self.shards.of_sku(sku);
            let (_, own) = by_shard
                .entry(shard.index)
                .or_insert_with(|| (shard, Vec::new()));
            own.push(sku);
        }
        by_shard
    }
}

fn grouped<K: std::hash::Hash + Eq>(
    rows: Vec<Comment>,
    key: impl Fn(&Comment) -> K,
) -> HashMap<K, Vec<Comment>> {
    let mut groups = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_insert_with(Vec::new).push(row);
    }
    groups
}
