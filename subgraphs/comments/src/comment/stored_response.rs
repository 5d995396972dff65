//! How the outcome of a change is stored beside its idempotency key. Invariant: what a release wrote, a later one reads.

use std::time::Duration;

use chassis::postgres::StoreError;
use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};

use super::{Comment, CommentError, Text};

/// What a change gave: the comment, or a refusal that the database decided on.
pub(super) type StoredOutcome = Result<StoredComment, StoredRefusal>;

/// A comment as the change left it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredComment {
    id: i64,
    author: i64,
    sku: i64,
    text: String,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredRefusal {
    NotFound,
    NotTheAuthor,
    EditWindowOver {
        #[serde(with = "humantime_serde")]
        window: Duration,
    },
}

impl From<&Comment> for StoredComment {
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

impl TryFrom<StoredComment> for Comment {
    type Error = StoreError;

    fn try_from(stored: StoredComment) -> Result<Self, StoreError> {
        let illegal = |column| {
            StoreError::from(DbErr::Type(format!(
                "a stored response holds an illegal {column}"
            )))
        };
        Ok(Self {
            id: stored.id.try_into().map_err(|_| illegal("id"))?,
            author: stored.author.try_into().map_err(|_| illegal("author"))?,
            sku: stored.sku.try_into().map_err(|_| illegal("sku"))?,
            text: Text::stored(stored.text),
            created_at: stored.created_at,
        })
    }
}

impl StoredRefusal {
    /// What of a refusal is stored: those that rest on what the database held; the others recur by themselves.
    pub(super) fn of(refusal: CommentError) -> Result<Self, CommentError> {
        match refusal {
            CommentError::NotFound => Ok(Self::NotFound),
            CommentError::NotTheAuthor => Ok(Self::NotTheAuthor),
            CommentError::EditWindowOver { window } => Ok(Self::EditWindowOver { window }),
            CommentError::TextLength
            | CommentError::TextWithNul
            | CommentError::TextBlank
            | CommentError::BadSku(_) => Err(refusal),
        }
    }
}

impl From<StoredRefusal> for CommentError {
    fn from(stored: StoredRefusal) -> Self {
        match stored {
            StoredRefusal::NotFound => Self::NotFound,
            StoredRefusal::NotTheAuthor => Self::NotTheAuthor,
            StoredRefusal::EditWindowOver { window } => Self::EditWindowOver { window },
        }
    }
}
