//! Which database a comment lives in.
//!
//! A SKU's remainder by the number of shards is its shard; a comment's id carries the shard's index as its remainder
//! by 1,000. Invariant: both lead to the same database. Source: docs/contracts.md §6.

use std::num::NonZeroU16;

use schema::id::{CommentId, Sku};
use sea_orm::DatabaseConnection;

/// How far apart two ids of one shard are, and so how many shards there can be.
pub const ID_STEP: u16 = 1000;

/// The number of a shard, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardIndex(u16);

impl ShardIndex {
    /// The number, 0 to 999.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// How many shards there are: 1 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardCount(NonZeroU16);

/// A number of shards that ids cannot tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there must be 1 to {ID_STEP} shards, not {given}")]
pub struct BadShardCount {
    given: usize,
}

impl ShardCount {
    /// Takes 1 to 1,000 shards.
    ///
    /// # Errors
    /// [`BadShardCount`] for none and for more.
    pub fn new(given: usize) -> Result<Self, BadShardCount> {
        u16::try_from(given)
            .ok()
            .filter(|&count| count <= ID_STEP)
            .and_then(NonZeroU16::new)
            .map(Self)
            .ok_or(BadShardCount { given })
    }

    /// The shard that holds the comments of a product.
    #[must_use]
    pub fn of_sku(self, sku: Sku) -> ShardIndex {
        remainder(sku.get(), self.0.get())
    }

    /// The shard that an id names, or none where no shard has that index: then no comment has that id.
    #[must_use]
    pub fn of_comment(self, id: CommentId) -> Option<ShardIndex> {
        Some(remainder(id.get(), ID_STEP)).filter(|index| index.0 < self.0.get())
    }
}

fn remainder(number: i64, by: u16) -> ShardIndex {
    let index = number.rem_euclid(i64::from(by));
    ShardIndex(u16::try_from(index).expect("a remainder by a u16 fits a u16"))
}

/// One shard: its index and its connections.
#[derive(Debug, Clone)]
pub struct Shard {
    /// Its index.
    pub index: ShardIndex,
    /// Its own pool, so a shard that is down takes no connection of another.
    pub db: DatabaseConnection,
}

/// All shards.
#[derive(Debug, Clone)]
pub struct Shards {
    count: ShardCount,
    shards: Vec<Shard>,
}

impl Shards {
    /// Takes the shards' connections in the order of their indexes.
    ///
    /// # Errors
    /// [`BadShardCount`] for none and for more than ids can tell apart.
    pub fn new(connections: Vec<DatabaseConnection>) -> Result<Self, BadShardCount> {
        let count = ShardCount::new(connections.len())?;
        let shards = (0..)
            .map(ShardIndex)
            .zip(connections)
            .map(|(index, db)| Shard { index, db })
            .collect();
        Ok(Self { count, shards })
    }

    /// The shard that holds the comments of a product.
    #[must_use]
    pub fn of_sku(&self, sku: Sku) -> &Shard {
        &self.shards[usize::from(self.count.of_sku(sku).0)]
    }

    /// The shard that an id names, or none where no comment can have that id.
    #[must_use]
    pub fn of_comment(&self, id: CommentId) -> Option<&Shard> {
        self.count
            .of_comment(id)
            .map(|index| &self.shards[usize::from(index.0)])
    }

    /// Every shard, by index.
    pub fn all(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> ShardCount {
        ShardCount::new(2).unwrap()
    }

    #[test]
    fn a_sku_goes_to_its_remainder_by_the_number_of_shards() {
        let index = |sku: i64| two().of_sku(Sku::try_from(sku).unwrap()).get();
        assert_eq!([1, 2, 3, i64::MAX].map(index), [1, 0, 1, 1]);
    }

    #[test]
    fn an_id_carries_its_shard() {
        let index = |id: i64| {
            two()
                .of_comment(CommentId::try_from(id).unwrap())
                .map(ShardIndex::get)
        };
        assert_eq!(
            [1000, 1001, 2000, 2001].map(index),
            [Some(0), Some(1), Some(0), Some(1)]
        );
    }

    /// One of the family crashed on id 7. Seen red with the filter removed. Source: docs/contracts.md §6.
    #[test]
    fn an_id_of_an_impossible_shard_names_none() {
        for id in [2, 7, 999, 1002, i64::MAX] {
            assert_eq!(
                two().of_comment(CommentId::try_from(id).unwrap()),
                None,
                "{id}"
            );
        }
    }

    #[test]
    fn ids_tell_at_most_a_thousand_shards_apart() {
        assert!(ShardCount::new(0).is_err());
        assert!(ShardCount::new(1000).is_ok());
        assert!(ShardCount::new(1001).is_err());
    }
}
