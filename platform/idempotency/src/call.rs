//! One named call: who asks for what, under which key, with which input.

use schema::id::UserId;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The most characters of a key.
pub const MAX_KEY: usize = chassis::graphql::MAX_KEY;

/// A key of 1 to [`MAX_KEY`] characters without NUL, which Postgres cannot keep.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// The key as its caller wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key outside its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 1 to {MAX_KEY} characters and no NUL")]
pub struct BadKey;

impl TryFrom<String> for Key {
    type Error = BadKey;

    fn try_from(text: String) -> Result<Self, BadKey> {
        let length = text.chars().take(MAX_KEY + 1).count();
        if (1..=MAX_KEY).contains(&length) && !text.contains('\0') {
            Ok(Self(text))
        } else {
            Err(BadKey)
        }
    }
}

/// A change that its caller named. Equal calls are the same change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    user: i64,
    operation: &'static str,
    key: Key,
    fingerprint: String,
}

impl Call {
    /// Names a change. `input` is everything the caller sent that matters, without the key; its JSON form must stay
    /// the same across releases as long as answers are kept, so its field order is part of the contract.
    ///
    /// # Errors
    /// When `input` has no JSON form.
    pub fn new(
        user: Option<UserId>,
        operation: &'static str,
        key: Key,
        input: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        let fingerprint = hex::encode(Sha256::digest(serde_json::to_vec(input)?));
        Ok(Self {
            user: user.map_or(0, UserId::get),
            operation,
            key,
            fingerprint,
        })
    }

    /// What names the change: who, which operation, under which key.
    pub(crate) fn name(&self) -> (i64, &'static str, &str) {
        (self.user, self.operation, &self.key.0)
    }

    /// The same, as a row has it.
    pub(crate) fn owned_name(&self) -> (i64, String, String) {
        (self.user, self.operation.to_owned(), self.key.0.clone())
    }

    pub(crate) const fn user(&self) -> i64 {
        self.user
    }

    pub(crate) const fn operation(&self) -> &'static str {
        self.operation
    }

    pub(crate) fn key(&self) -> &str {
        &self.key.0
    }

    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_255_characters_of_any_script() {
        assert!(Key::try_from("ж".repeat(255)).is_ok());
        for bad in [String::new(), "x".repeat(256), "a\0b".to_owned()] {
            assert_eq!(Key::try_from(bad), Err(BadKey));
        }
    }

    #[test]
    fn another_input_has_another_fingerprint() {
        let call = |input: (i64, u32)| {
            Call::new(
                None,
                "createOrder",
                Key::try_from("k".to_owned()).unwrap(),
                &input,
            )
            .unwrap()
        };
        assert_eq!(call((1, 2)), call((1, 2)));
        assert_ne!(call((1, 2)).fingerprint(), call((1, 3)).fingerprint());
    }
}
