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
pub(crate) mod store;
mod stored_response;

use std::{sync::Arc, time::Duration};

use chassis::clock::Clock;

pub use self::{
    domain::{Comment, CommentError, Text},
    error::Error,
    list::ListOf,
    page::{InvalidCursor, Page, PageRequest, Position},
};
use crate::shard::Shards;

/// The use cases of comments. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Comments {
    shards: Arc<Shards>,
    clock: Clock,
    edit_window: Duration,
}

impl Comments {
    /// Puts the use cases over the shards.
    #[must_use]
    pub fn new(shards: Arc<Shards>, clock: Clock, edit_window: Duration) -> Self {
        Self {
            shards,
            clock,
            edit_window,
        }
    }

    /// How long an author may edit a comment.
    #[must_use]
    pub const fn edit_window(&self) -> Duration {
        self.edit_window
    }
}
