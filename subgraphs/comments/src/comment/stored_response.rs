//! How an answer is kept beside its idempotency key. Invariant: what a release wrote, a later one reads.

use std::time::Duration;

use chassis::postgres::StoreError;
use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};

use super::{Comment, CommentError};

/// What a change answered: the comment, or a refusal that the database decided on.
pub(super) type KeptOutcome = Result<KeptComment, KeptRefusal>;

/// A comment as it was answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptComment {
    id: i64,
    author: i64,
    sku: i64,
    text: String,
    created_at: DateTime<Utc>,
}

/// A refusal as it was answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeptRefusal {
    NotFound,
    NotTheAuthor,
    EditWindowOver {
        #[serde(with = "humantime_serde")]
        window: Duration,
    },
}

impl From<&Comment> for KeptComment {
    fn from(comment: &Comment) -> Self {
        Self {
            id: comment.id.get(),
            author: comment.author.get(),
            sku: comment.sku.get(),
            text: comment.text.as_str().to_owned(),
            created_at: comment.created_at,
        }
    }
}

impl TryFrom<KeptComment> for Comment {
    type Error = StoreError;

    fn try_from(kept: KeptComment) -> Result<Self, StoreError> {
        let illegal = |column| {
            StoreError::from(DbErr::Type(format!(
                "a kept answer holds an illegal {column}"
            )))
        };
        Ok(Self {
            id: kept.id.try_into().map_err(|_| illegal("id"))?,
            author: kept.author.try_into().map_err(|_| illegal("author"))?,
            sku: kept.sku.try_into().map_err(|_| illegal("sku"))?,
            text: kept.text.try_into().map_err(|_| illegal("text"))?,
            created_at: kept.created_at,
        })
    }
}

impl KeptRefusal {
    /// What of a refusal is kept: those that rest on what the database held; the others recur by themselves.
    pub(super) fn of(refusal: CommentError) -> Result<Self, CommentError> {
        match refusal {
            CommentError::NotFound => Ok(Self::NotFound),
            CommentError::NotTheAuthor => Ok(Self::NotTheAuthor),
            CommentError::EditWindowOver { window } => Ok(Self::EditWindowOver { window }),
            CommentError::TextLength | CommentError::TextWithNul | CommentError::BadSku(_) => {
                Err(refusal)
            }
        }
    }
}

impl From<KeptRefusal> for CommentError {
    fn from(kept: KeptRefusal) -> Self {
        match kept {
            KeptRefusal::NotFound => Self::NotFound,
            KeptRefusal::NotTheAuthor => Self::NotTheAuthor,
            KeptRefusal::EditWindowOver { window } => Self::EditWindowOver { window },
        }
    }
}
