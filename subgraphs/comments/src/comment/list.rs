//! Lists of comments: by SKU from one shard, by author from all shards, merged.
//!
//! Invariant: one order everywhere, newest first, then by author, then by id, in which no two comments are equal. A
//! place in it is a cursor that holds for every shard, so a merged list pages as a single one does.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    fmt,
    str::FromStr,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use futures::future::{join_all, try_join_all};
use schema::id::{CommentId, Sku, UserId};

use super::{Comment, Comments, Error, store};

/// Whose comments a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListOf {
    /// Those on a product.
    Sku(Sku),
    /// Those of an author.
    Author(UserId),
}

/// A place in the order of comments, just behind one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    created_at: DateTime<Utc>,
    author: UserId,
    id: CommentId,
}

/// A cursor's text that no list gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one of a list of comments")]
pub struct BadPlace;

impl Place {
    /// The place just behind a comment.
    #[must_use]
    pub const fn behind(comment: &Comment) -> Self {
        Self {
            created_at: comment.created_at,
            author: comment.author,
            id: comment.id,
        }
    }

    /// When the comment was written, its author and its id, as the order compares them.
    pub(super) const fn parts(self) -> (DateTime<Utc>, UserId, CommentId) {
        (self.created_at, self.author, self.id)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}",
            self.created_at.timestamp_micros(),
            self.author,
            self.id
        )
    }
}

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(BadPlace);
        let micros = next()?.parse().map_err(|_| BadPlace)?;
        Ok(Self {
            created_at: DateTime::from_timestamp_micros(micros).ok_or(BadPlace)?,
            author: next()?.parse().map_err(|_| BadPlace)?,
            id: next()?.parse().map_err(|_| BadPlace)?,
        })
    }
}

/// Which page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageRequest {
    /// The most it holds.
    pub first: u32,
    /// The place to go on behind; none for the first page.
    pub after: Option<Place>,
}

/// One page of a list, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The comments.
    pub comments: Vec<Comment>,
    /// Whether there are more behind it.
    pub has_next: bool,
}

impl Page {
    /// Makes a page from one row more than it may hold, where there is one.
    fn of(mut rows: Vec<Comment>, request: &PageRequest) -> Self {
        let first = usize::try_from(request.first).unwrap_or(usize::MAX);
        let has_next = rows.len() > first;
        rows.truncate(first);
        Self {
            comments: rows,
            has_next,
        }
    }
}

impl Comments {
    /// A page for each of many products, with one statement a shard. A shard that does not answer fails its own
    /// products alone.
    pub async fn list_by_skus(
        &self,
        skus: &[Sku],
        page: &PageRequest,
    ) -> HashMap<Sku, Result<Page, Arc<Error>>> {
        let mut by_shard = BTreeMap::new();
        for &sku in skus {
            let shard = self.shards.of_sku(sku);
            by_shard
                .entry(shard.index)
                .or_insert_with(|| (&shard.db, Vec::new()))
                .1
                .push(sku);
        }
        let reads = by_shard.into_values().map(|(db, skus)| async move {
            let rows = store::list_by_skus(db, &skus, page).await;
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
        let mut by_shard = BTreeMap::new();
        for &sku in skus {
            let shard = self.shards.of_sku(sku);
            by_shard
                .entry(shard.index)
                .or_insert_with(|| (&shard.db, Vec::new()))
                .1
                .push(sku);
        }
        let reads = by_shard
            .into_values()
            .map(|(db, skus)| async move { store::count_by_skus(db, &skus).await });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_text() {
        let text = "1700000000123456.7.9223372036854775001";
        assert_eq!(
            text.parse::<Place>().map(|place| place.to_string()),
            Ok(text.to_owned())
        );
    }

    #[test]
    fn a_made_up_cursor_is_refused() {
        for bad in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "a.2.3",
            "1.0.3",
            "1.2.-3",
            "9223372036854775807.1.1",
        ] {
            assert_eq!(bad.parse::<Place>(), Err(BadPlace), "{bad:?}");
        }
    }
}
