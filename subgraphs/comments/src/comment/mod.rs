//! Comments: rules, use cases, lists, and their part of the graph.
//!
//! Each use case has a file of its name: `add`, `edit`, `find`, `list`. [`domain`] decides, `store` reads and writes one
//! shard, `graphql` and `grpc` translate.
//! Invariant: a refusal is a [`CommentError`]; anything else is a fault and tells a client nothing of the database.

mod add;
pub mod domain;
mod edit;
mod error;
mod find;
pub(crate) mod graphql;
pub(crate) mod grpc;
mod list;
pub(crate) mod loader;
mod page;
mod rate;
pub(crate) mod store;
mod stored_response;

use std::{sync::Arc, time::Duration};

use chassis::clock::Clock;
use schema::id::UserId;

use self::rate::WriteRate;
pub use self::{
    domain::{Comment, CommentError, Text},
    error::Error,
    list::ListOf,
    page::{InvalidCursor, Page, PageRequest, Position},
    rate::TooManyWrites,
};
use crate::{config::Config, shard::Shards};

/// The use cases of comments. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Comments {
    shards: Arc<Shards>,
    clock: Clock,
    edit_window: Duration,
    write_rate: Arc<WriteRate>,
}

impl Comments {
    /// Puts the use cases over the shards, with the edit window and the rate of `config`.
    #[must_use]
    pub fn new(shards: Arc<Shards>, clock: Clock, config: &Config) -> Self {
        Self {
            shards,
            clock,
            edit_window: config.edit_window,
            write_rate: Arc::new(WriteRate::new(config.writes_per_minute)),
        }
    }

    /// Takes one write from the budget that a user of the public graph has.
    ///
    /// # Errors
    /// [`TooManyWrites`] when it is spent; nothing happened then.
    pub fn admit_write(&self, user: UserId) -> Result<(), TooManyWrites> {
        self.write_rate.admit(user)
    }

    /// How long an author may edit a comment.
    #[must_use]
    pub const fn edit_window(&self) -> Duration {
        self.edit_window
    }
}
