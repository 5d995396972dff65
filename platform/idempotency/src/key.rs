//! The key, and the one rule that it obeys wherever it comes from.

use chassis::{fault::Coded, graphql::UserError};
use schema::code::ErrorCode;
use uuid::Uuid;

/// The HTTP header and gRPC metadata name in which a caller sends the key.
pub const KEY_HEADER: &str = "idempotency-key";

/// The most characters of a key.
const MAX_CHARACTERS: usize = 255;

/// An idempotency key: 1 to 255 characters without NUL, which Postgres cannot store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// The key as its caller wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key breaks the rule of [`Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key must have 1 to {MAX_CHARACTERS} characters and no NUL")]
pub struct InvalidKey;

impl TryFrom<String> for Key {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        let length = text.chars().take(MAX_CHARACTERS + 1).count();
        if (1..=MAX_CHARACTERS).contains(&length) && !text.contains('\0') {
            Ok(Self(text))
        } else {
            Err(InvalidKey)
        }
    }
}

impl From<Uuid> for Key {
    fn from(id: Uuid) -> Self {
        Self(id.to_string())
    }
}

impl Coded for InvalidKey {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }

    fn field(&self) -> Option<Vec<String>> {
        Some(vec!["input".to_owned(), "idempotencyKey".to_owned()])
    }
}

impl From<InvalidKey> for UserError {
    fn from(invalid: InvalidKey) -> Self {
        Self::of(&invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_255_characters_of_any_script() {
        assert!(Key::try_from("ж".repeat(255)).is_ok());
        for bad in [String::new(), "x".repeat(256), "a\0b".to_owned()] {
            assert_eq!(Key::try_from(bad), Err(InvalidKey));
        }
    }
}
