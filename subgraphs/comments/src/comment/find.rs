//! Reading comments by id.

use std::collections::{BTreeMap, HashMap};

use futures::future::try_join_all;
use schema::id::CommentId;

use super::{Comment, Comments, Error, store};

impl Comments {
    /// One comment, from the shard that its id names; none where the id names no shard.
    ///
    /// # Errors
    /// [`Error::Store`] when that shard does not answer.
    pub async fn find(&self, id: CommentId) -> Result<Option<Comment>, Error> {
        Ok(self.find_many(&[id]).await?.remove(&id))
    }

    /// Those of the comments that exist, with one statement a shard.
    ///
    /// # Errors
    /// [`Error::Store`] when a shard that an id names does not answer.
    pub async fn find_many(&self, ids: &[CommentId]) -> Result<HashMap<CommentId, Comment>, Error> {
        let mut by_shard = BTreeMap::new();
        for &id in ids {
            if let Some(shard) = self.shards.of_comment(id) {
                let (_, own) = by_shard
                    .entry(shard.index)
                    .or_insert_with(|| (&shard.db, Vec::new()));
                own.push(id);
            }
        }
        let reads = by_shard
            .into_values()
            .map(|(db, ids)| async move { store::find_many(db, &ids).await });
        let found = try_join_all(reads).await?;
        Ok(found
            .into_iter()
            .flatten()
            .map(|comment| (comment.id, comment))
            .collect())
    }
}
