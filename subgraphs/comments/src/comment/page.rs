//! Pages of lists, and the cursors between them.
//!
//! Invariant: one order everywhere, newest first, then by author, then by id, in which no two comments are equal. A
//! position in it is a cursor that holds for every shard, so a merged list pages as a single one does.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use schema::id::{CommentId, UserId};

use super::Comment;

/// A position in the order of comments, just behind one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    created_at: DateTime<Utc>,
    author: UserId,
    id: CommentId,
}

/// A text that no list gave as a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one of a list of comments")]
pub struct InvalidCursor;

impl Position {
    /// The position just behind a comment.
    #[must_use]
    pub const fn behind(comment: &Comment) -> Self {
        Self {
            created_at: comment.created_at,
            author: comment.author,
            id: comment.id,
        }
    }

    /// When the comment was written, its author and its id, as the order compares them.
    pub(super) const fn parts(self) -> (DateTime<Utc>, UserId, CommentId) {
        (self.created_at, self.author, self.id)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}",
            self.created_at.timestamp_micros(),
            self.author,
            self.id
        )
    }
}

impl FromStr for Position {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(InvalidCursor);
        let micros = next()?.parse().map_err(|_| InvalidCursor)?;
        Ok(Self {
            created_at: DateTime::from_timestamp_micros(micros).ok_or(InvalidCursor)?,
            author: next()?.parse().map_err(|_| InvalidCursor)?,
            id: next()?.parse().map_err(|_| InvalidCursor)?,
        })
    }
}

/// Which page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageRequest {
    /// The most it holds.
    pub first: u32,
    /// The position to go on behind; none for the first page.
    pub after: Option<Position>,
}

/// One page of a list, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The comments.
    pub comments: Vec<Comment>,
    /// Whether there are more behind it.
    pub has_next: bool,
}

impl Page {
    /// Makes a page from one row more than it may hold, where there is one.
    pub(super) fn of(mut rows: Vec<Comment>, request: &PageRequest) -> Self {
        let first = usize::try_from(request.first).unwrap_or(usize::MAX);
        let has_next = rows.len() > first;
        rows.truncate(first);
        Self {
            comments: rows,
            has_next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_text() {
        let text = "1700000000123456.7.9223372036854775001";
        assert_eq!(
            text.parse::<Position>()
                .map(|position| position.to_string()),
            Ok(text.to_owned())
        );
    }

    #[test]
    fn a_made_up_cursor_is_refused() {
        for bad in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "a.2.3",
            "1.0.3",
            "1.2.-3",
            "9223372036854775807.1.1",
        ] {
            assert_eq!(bad.parse::<Position>(), Err(InvalidCursor), "{bad:?}");
        }
    }
}
