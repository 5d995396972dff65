//! Adding a comment.

use schema::id::{Sku, UserId};
use sea_orm::TransactionTrait as _;

use super::{Comment, Comments, Error, Text, store};

impl Comments {
    /// Adds `me`'s comment on a product. Neither the user nor the SKU is looked up. Source: docs/contracts.md §6.
    ///
    /// # Errors
    /// [`Error::Store`]: it may have been added only when the connection broke at the commit.
    pub async fn add(&self, me: UserId, sku: Sku, text: Text) -> Result<Comment, Error> {
        let shard = self.shards.of_sku(sku);
        let tx = shard.db.begin().await?;
        let comment = store::insert(&tx, shard.index, me, sku, &text, self.clock.now()).await?;
        tx.commit().await?;
        Ok(comment)
    }
}
