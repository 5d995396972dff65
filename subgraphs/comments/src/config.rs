//! Settings of the comments service.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the comments service, `comments.*`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long an author may edit a comment. Source: docs/contracts.md §6.
    #[serde(with = "humantime_serde")]
    pub edit_window: Duration,
    /// The shards' databases, by shard index. A SKU's shard depends on how many there are: never change the number
    /// of a system that holds comments.
    pub databases: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            edit_window: Duration::from_secs(15 * 60),
            databases: vec!["comments_0".to_owned(), "comments_1".to_owned()],
        }
    }
}
