//! The promise about comments: each is in its shard, and what a key answers is there.

use anyhow::Context as _;
use chassis::{postgres::sql::Described, sql};

use super::{
    EXAMPLES, Finding,
    stores::{Promise, Stores},
};

/// The shard's index, and how many there are.
static COMMENTS: Promise<(i64, i64)> = Promise {
    id: "I11",
    promise: "a comment is in the shard of its product, as its author was answered",
    sql: sql!("sql/comments.sql"),
};

/// The statement, for a shard's database.
pub(super) fn statements() -> [&'static dyn Described; 1] {
    [&COMMENTS.sql]
}

/// # Errors
/// When a shard does not answer.
pub(super) async fn look(stores: &Stores) -> anyhow::Result<Finding> {
    let count = i64::try_from(stores.comments.len()).context("so many shards")?;
    let mut all: Option<Finding> = None;
    for (shard, db) in (0..).zip(&stores.comments) {
        let found = COMMENTS.check(db, (shard, count)).await?;
        all = Some(match all {
            None => found,
            Some(mut sum) => {
                sum.checked += found.checked;
                sum.broken += found.broken;
                sum.examples.extend(found.examples);
                sum.examples.truncate(EXAMPLES);
                sum
            }
        });
    }
    all.context("there is no shard of comments")
}
