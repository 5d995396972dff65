//! The rules of a comment: pure, no clock and no database of its own.

use std::time::Duration;

use chassis::fault::Coded;
use chrono::{DateTime, TimeDelta, Utc};
use schema::{
    code::ErrorCode,
    id::{CommentId, OutOfRange, Sku, UserId},
};

/// The longest text, in characters. Source: docs/contracts.md §6.
pub const TEXT_MAX_CHARACTERS: usize = 255;

/// What somebody says of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its id; the remainder by 1,000 names its shard.
    pub id: CommentId,
    /// Who wrote it.
    pub author: UserId,
    /// What it is about.
    pub sku: Sku,
    /// What it says.
    pub text: Text,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// A comment's text: 1 to 255 characters that Postgres can store, at least one of them to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Text {
    type Error = CommentError;

    fn try_from(text: String) -> Result<Self, CommentError> {
        // Characters, not bytes: 255 letters of any script fit.
        if !(1..=TEXT_MAX_CHARACTERS).contains(&text.chars().take(TEXT_MAX_CHARACTERS + 1).count())
        {
            return Err(CommentError::TextLength);
        }
        if text.contains('\0') {
            return Err(CommentError::TextWithNul);
        }
        if text.chars().all(is_blank) {
            return Err(CommentError::TextBlank);
        }
        Ok(Self(text))
    }
}

impl Text {
    /// A text as it was taken once, perhaps under the rules of an older release.
    pub(super) const fn stored(text: String) -> Self {
        Self(text)
    }
}

/// Whether a reader sees nothing of it: white space, controls, and the characters of no width.
fn is_blank(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{00AD}'
                | '\u{034F}'
                | '\u{061C}'
                | '\u{115F}'
                | '\u{1160}'
                | '\u{17B4}'
                | '\u{17B5}'
                | '\u{180B}'..='\u{180F}'
                | '\u{200B}'..='\u{200F}'
                | '\u{202A}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{FE00}'..='\u{FE0F}'
                | '\u{FEFF}'
                | '\u{FFA0}'
                | '\u{E0000}'..='\u{E0FFF}'
        )
}

/// Why a comment is not taken or not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommentError {
    /// The text is empty or too long.
    #[error("a comment has 1 to {TEXT_MAX_CHARACTERS} characters")]
    TextLength,
    /// The text holds U+0000, which Postgres does not store.
    #[error("a comment cannot hold the character U+0000")]
    TextWithNul,
    /// The text shows nothing.
    #[error("a comment needs a character that can be seen")]
    TextBlank,
    /// The SKU is not a whole number above 0.
    #[error(transparent)]
    BadSku(OutOfRange),
    /// Nothing has this id; also any id that names no shard.
    #[error("there is no comment with this id")]
    NotFound,
    /// Somebody else wrote it.
    #[error("only its author may edit a comment")]
    NotTheAuthor,
    /// The edit window is over.
    #[error("a comment can be edited for {} only", humantime::format_duration(*.window))]
    EditWindowOver {
        /// How long a comment can be edited.
        window: Duration,
    },
}

impl Coded for CommentError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TextLength | Self::TextWithNul | Self::TextBlank | Self::BadSku(_) => {
                ErrorCode::InvalidArgument
            }
            Self::NotFound => ErrorCode::NotFound,
            Self::NotTheAuthor => ErrorCode::NotTheAuthor,
            Self::EditWindowOver { .. } => ErrorCode::EditWindowOver,
        }
    }

    fn field(&self) -> Option<Vec<String>> {
        let field = match self {
            Self::TextLength | Self::TextWithNul | Self::TextBlank => "text",
            Self::BadSku(_) => "sku",
            Self::NotFound => "id",
            Self::NotTheAuthor | Self::EditWindowOver { .. } => return None,
        };
        Some(vec!["input".to_owned(), field.to_owned()])
    }
}

impl Comment {
    /// The last instant at which its author may edit it.
    #[must_use]
    pub fn editable_until(&self, window: Duration) -> DateTime<Utc> {
        let window = TimeDelta::from_std(window).unwrap_or(TimeDelta::MAX);
        self.created_at
            .checked_add_signed(window)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Decides whether `me` may edit it at `now`: the author first, then the window.
    ///
    /// # Errors
    /// [`CommentError::NotTheAuthor`], [`CommentError::EditWindowOver`]. Source: docs/contracts.md §6, check order.
    pub fn check_edit(
        &self,
        me: UserId,
        now: DateTime<Utc>,
        window: Duration,
    ) -> Result<(), CommentError> {
        if me != self.author {
            return Err(CommentError::NotTheAuthor);
        }
        if now > self.editable_until(window) {
            return Err(CommentError::EditWindowOver { window });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(900);

    fn comment() -> Comment {
        Comment {
            id: CommentId::try_from(1000).unwrap(),
            author: UserId::try_from(1).unwrap(),
            sku: Sku::try_from(2).unwrap(),
            text: Text::try_from("fine".to_owned()).unwrap(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    /// The family counted bytes in one place and characters in another. Seen red with `len()` in place of the count.
    #[test]
    fn the_bound_counts_characters_not_bytes() {
        for (text, taken) in [
            (String::new(), false),
            ("я".to_owned(), true),
            ("я".repeat(255), true),
            ("🛒".repeat(255), true),
            ("x".repeat(256), false),
            ("a\0b".to_owned(), false),
        ] {
            assert_eq!(
                Text::try_from(text.clone()).is_ok(),
                taken,
                "{} characters",
                text.chars().count()
            );
        }
    }

    #[test]
    fn a_text_shows_something() {
        for blank in [
            " ",
            "\t\n",
            "\u{a0}\u{3000}",
            "\u{200b}",
            "\u{feff} ",
            "\u{2800}",
            "\u{7}",
        ] {
            let taken = Text::try_from(blank.to_owned());
            assert_eq!(taken, Err(CommentError::TextBlank), "{blank:?}");
        }
        for seen in [" a ", ".", "🛒", "\u{200d}ж", "0"] {
            assert!(Text::try_from(seen.to_owned()).is_ok(), "{seen:?}");
        }
    }

    /// Seen red with `>=` in place of `>`.
    #[test]
    fn the_window_ends_after_its_last_instant() {
        let (comment, author) = (comment(), UserId::try_from(1).unwrap());
        let edge = comment.editable_until(WINDOW);
        assert_eq!(comment.check_edit(author, edge, WINDOW), Ok(()));
        let late = edge + TimeDelta::microseconds(1);
        assert_eq!(
            comment.check_edit(author, late, WINDOW),
            Err(CommentError::EditWindowOver { window: WINDOW })
        );
    }

    #[test]
    fn a_foreign_edit_is_refused_as_foreign_also_when_it_is_late() {
        let comment = comment();
        let late = comment.editable_until(WINDOW) + TimeDelta::days(1);
        let stranger = UserId::try_from(2).unwrap();
        assert_eq!(
            comment.check_edit(stranger, late, WINDOW),
            Err(CommentError::NotTheAuthor)
        );
    }

    #[test]
    fn an_endless_window_does_not_overflow() {
        assert_eq!(
            comment().editable_until(Duration::MAX),
            DateTime::<Utc>::MAX_UTC
        );
    }
}
