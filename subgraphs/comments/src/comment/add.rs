//! Adding a comment.

use futures::future::join_all;
use idempotency::{Call, Key, Recorded};
use schema::id::{Sku, UserId};
use sea_orm::TransactionTrait as _;

use super::{Comment, Comments, Error, Text, answer::KeptComment, store};
use crate::{metrics, shard::ShardIndex};

/// What an idempotency key names, with the user.
const OPERATION: &str = "addComment";

impl Comments {
    /// Adds `me`'s comment on a product. Neither the user nor the SKU is looked up. Source: docs/contracts.md §6.
    ///
    /// # Errors
    /// [`Error::Idempotency`] when the key came before with another input;
    /// [`Error::Store`]: it may have been added only when the connection broke at the commit.
    ///
    /// # Cancel safety
    /// Dropping the future before the commit adds nothing.
    pub async fn add(
        &self,
        me: UserId,
        sku: Sku,
        text: Text,
        key: Option<Key>,
    ) -> Result<Recorded<Comment>, Error> {
        let input = (sku.get(), text.as_str());
        let shard = self.shards.of_sku(sku);
        if let Some(key) = &key {
            self.refuse_a_key_of_another_shard(me, key, shard.index)
                .await?;
        }
        let call = key
            .map(|key| Call::new(Some(me), OPERATION, key, &input))
            .transpose()?;
        let now = self.clock.now();

        let tx = shard.db.begin().await?;
        let answered = idempotency::once(&tx, call.as_ref(), now, async || {
            let comment = store::insert(&tx, shard.index, me, sku, &text, now).await?;
            Ok::<_, Error>(KeptComment::from(&comment))
        });
        let Recorded { value, replayed } = answered.await?;
        tx.commit().await?;
        if !replayed {
            metrics::added();
        }
        Ok(Recorded {
            value: value.try_into()?,
            replayed,
        })
    }
    /// A key is kept with its comment, so one that came with a SKU of another shard is known there alone. Two calls
    /// at once may both pass, and a shard that does not answer is passed over: a caller that breaks the rule of keys
    /// then gets two comments rather than a refusal.
    async fn refuse_a_key_of_another_shard(
        &self,
        me: UserId,
        key: &Key,
        own: ShardIndex,
    ) -> Result<(), Error> {
        let others = self.shards.all().filter(|shard| shard.index != own);
        let answers =
            join_all(others.map(|shard| store::is_key_taken(&shard.db, me, OPERATION, key))).await;
        if answers.into_iter().any(|answer| matches!(answer, Ok(true))) {
            return Err(idempotency::Error::Reused.into());
        }
        Ok(())
    }
}
