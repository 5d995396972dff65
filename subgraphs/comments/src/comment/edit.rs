//! Editing a comment.

use schema::id::{CommentId, UserId};
use sea_orm::TransactionTrait as _;

use super::{Comment, CommentError, Comments, Error, Text, store};

impl Comments {
    /// Replaces the text of `me`'s own comment within the edit window; when it was written stays as it is.
    ///
    /// # Errors
    /// In this order: [`CommentError::NotFound`], [`CommentError::NotTheAuthor`], [`CommentError::EditWindowOver`].
    /// Source: docs/contracts.md §6.
    pub async fn edit(&self, me: UserId, id: CommentId, text: Text) -> Result<Comment, Error> {
        let shard = self.shards.of_comment(id).ok_or(CommentError::NotFound)?;
        let tx = shard.db.begin().await?;
        let comment = store::lock(&tx, id).await?.ok_or(CommentError::NotFound)?;
        // Read after the lock: a wait behind another edit counts.
        let now = self.clock.now();
        comment.check_edit(me, now, self.edit_window)?;
        let edited = store::set_text(&tx, comment, text, now).await?;
        tx.commit().await?;
        Ok(edited)
    }
}
