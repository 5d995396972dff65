//! Comments: rules, use cases, lists, and their part of the graph.
//!
//! [`domain`] decides, `store` reads and writes one shard, the use cases put both together, `graphql` and `grpc`
//! translate.
//! Invariant: a refusal is a [`CommentError`]; anything else is a fault and tells a client nothing of the database.

mod add;
mod answer;
pub mod domain;
mod edit;
mod find;
pub(crate) mod graphql;
pub(crate) mod grpc;
mod list;
pub(crate) mod loader;
mod store;

use std::{sync::Arc, time::Duration};

use chassis::{clock::Clock, fault::Coded, postgres::StoreError};
use schema::code::ErrorCode;
use sea_orm::DbErr;

pub use self::{
    domain::{Comment, CommentError, Text},
    list::{BadPlace, ListOf, Page, PageRequest, Place},
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

/// Why a use case of comments failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rules refuse it: nothing happened.
    #[error(transparent)]
    Refused(#[from] CommentError),
    /// The idempotency key has a wrong length.
    #[error(transparent)]
    Key(#[from] idempotency::InvalidKey),
    /// The idempotency key is taken.
    #[error(transparent)]
    Idempotency(#[from] idempotency::Error),
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Store(error.into())
    }
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Key(_) => ErrorCode::InvalidArgument,
            Self::Idempotency(error) => error.code(),
            Self::Store(fault) => fault.code(),
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        match self {
            Self::Refused(refusal) => refusal.field(),
            Self::Key(_) => Some(vec!["input".to_owned(), "idempotencyKey".to_owned()]),
            Self::Idempotency(error) => error.field(),
            Self::Store(fault) => fault.field(),
        }
    }
}
