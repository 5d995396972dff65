//! Adding a comment.

use chassis::{
    deadline,
    postgres::{self, within},
};
use futures::future::join_all;
use idempotency::{Call, Key, Recorded};
use schema::id::{Sku, UserId};
use sea_orm::TransactionTrait as _;

use super::{Comment, Comments, Error, Text, store, stored_response::StoredComment};
use crate::{metrics, shard::Shard};

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
        let shard = self.shards.of_sku(sku);
        let input = (sku.get(), text.as_str());
        let call = key
            .map(|key| Call::new(Some(me), "addComment", key, &input))
            .transpose()?;
        if let Some(call) = &call {
            self.refuse_a_key_of_another_shard(call, shard).await?;
        }
        let now = postgres::now(&shard.db, &self.clock);

        let adding = async {
            let tx = shard.db.begin().await?;
            let stored = idempotency::once(&tx, call.as_ref(), now, async || {
                let comment = store::insert(&tx, shard.index, me, sku, &text, now).await?;
                Ok::<_, Error>(StoredComment::from(&comment))
            });
            let stored = stored.await?;
            deadline::decide();
            tx.commit().await?;
            Ok::<_, Error>(stored)
        };
        let Recorded { value, replayed } = within(&shard.db, adding).await?;

        if !replayed {
            metrics::added();
        }
        Ok(Recorded {
            value: value.try_into()?,
            replayed,
        })
    }

    /// A key is stored with its comment, so one that came with a SKU of another shard is known there alone. Two calls at
    /// once may both pass, and a shard that does not respond is passed over: a caller that breaks the rule of keys then
    /// gets two comments rather than a refusal.
    async fn refuse_a_key_of_another_shard(&self, call: &Call, own: &Shard) -> Result<(), Error> {
        let others = self.shards.all().filter(|shard| shard.index != own.index);
        let used =
            join_all(others.map(|shard| within(&shard.db, idempotency::is_used(&shard.db, call))))
                .await;
        if used.into_iter().any(|used| matches!(used, Ok(true))) {
            return Err(idempotency::Error::Reused.into());
        }
        Ok(())
    }
}
