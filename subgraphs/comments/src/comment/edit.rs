//! Editing a comment.

use chassis::{
    deadline,
    postgres::{self, within},
};
use idempotency::{Call, Key, Recorded};
use schema::id::{CommentId, UserId};
use sea_orm::{DatabaseTransaction, TransactionTrait as _};

use super::{
    Comment, CommentError, Comments, Error, Text, store,
    stored_response::{StoredComment, StoredOutcome, StoredRefusal},
};
use crate::metrics;

impl Comments {
    /// Replaces the text of `me`'s own comment within the edit window; when it was written stays as it is.
    ///
    /// # Errors
    /// In this order: [`CommentError::NotFound`], [`CommentError::NotTheAuthor`], [`CommentError::EditWindowOver`].
    /// Source: docs/contracts.md §6.
    ///
    /// # Cancel safety
    /// Dropping the future before the commit changes nothing.
    pub async fn edit(
        &self,
        me: UserId,
        id: CommentId,
        text: Text,
        key: Option<Key>,
    ) -> Result<Recorded<Comment>, Error> {
        let shard = self.shards.of_comment(id).ok_or(CommentError::NotFound)?;
        let input = (id.get(), text.as_str());
        let call = key
            .map(|key| Call::new(Some(me), "editComment", key, &input))
            .transpose()?;

        let editing = async {
            let tx = shard.db.begin().await?;
            let stored = idempotency::once(
                &tx,
                call.as_ref(),
                postgres::now(&shard.db, &self.clock),
                async || self.edit_locked(&tx, me, id, &text).await,
            );
            let stored = stored.await?;
            deadline::decide();
            tx.commit().await?;
            Ok::<_, Error>(stored)
        };
        let Recorded { value, replayed } = within(&shard.db, editing).await?;

        let edited = value.map_err(CommentError::from)?;
        if !replayed {
            metrics::edited();
        }
        Ok(Recorded {
            value: edited.try_into()?,
            replayed,
        })
    }

    /// Locks, decides, writes. A refusal is an outcome to store, not a failure of the transaction.
    async fn edit_locked(
        &self,
        tx: &DatabaseTransaction,
        me: UserId,
        id: CommentId,
        text: &Text,
    ) -> Result<StoredOutcome, Error> {
        let Some(comment) = store::lock(tx, id).await? else {
            return Ok(Err(StoredRefusal::NotFound));
        };
        // Read after the lock: a wait behind another edit counts.
        let now = self.clock.now();
        if let Err(refusal) = comment.check_edit(me, now, self.edit_window) {
            return Ok(Err(StoredRefusal::of(refusal)?));
        }
        let edited = store::set_text(tx, comment, text, now).await?;
        Ok(Ok(StoredComment::from(&edited)))
    }
}
