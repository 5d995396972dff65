//! One named call: who asks for what, under which key, with which input.

use std::{borrow::Cow, fmt::Display};

use schema::id::UserId;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{Error, Key};

/// A change that its caller named. Equal calls are the same change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    user: i64,
    operation: Cow<'static, str>,
    key: Key,
    fingerprint: String,
    /// The name under which an earlier release stored the response.
    former: Option<Box<Call>>,
}

impl Call {
    /// Names a change. `input` is everything the caller sent that matters, without the key; its JSON form must stay
    /// the same across releases as long as responses are stored, so its field order is part of the contract.
    ///
    /// # Errors
    /// When `input` has no JSON form.
    pub fn new(
        user: Option<UserId>,
        operation: &'static str,
        key: Key,
        input: &impl Serialize,
    ) -> Result<Self, Error> {
        let fingerprint = hex::encode(Sha256::digest(serde_json::to_vec(input)?));
        Ok(Self {
            user: user.map_or(0, UserId::get),
            operation: Cow::Borrowed(operation),
            key,
            fingerprint,
            former: None,
        })
    }

    /// The same change, named among the changes of one thing, say an order, when its caller acts for nobody: those callers share
    /// a name space otherwise, and one's key would refuse another's. What was stored under the name without it still answers.
    #[must_use]
    pub fn of(self, thing: impl Display) -> Self {
        if self.user != 0 {
            return self;
        }
        Self {
            operation: Cow::Owned(format!("{}/{thing}", self.operation)),
            former: Some(Box::new(self.clone())),
            ..self
        }
    }

    /// What names the change: who (0 for a caller that acts for nobody), which operation, under which key.
    #[must_use]
    pub fn name(&self) -> (i64, &str, &str) {
        (self.user, &self.operation, self.key.as_str())
    }

    /// The same, as a row has it.
    pub(crate) fn owned_name(&self) -> (i64, String, String) {
        (
            self.user,
            self.operation().to_owned(),
            self.key().to_owned(),
        )
    }

    pub(crate) const fn user(&self) -> i64 {
        self.user
    }

    pub(crate) fn operation(&self) -> &str {
        &self.operation
    }

    pub(crate) fn former(&self) -> Option<&Self> {
        self.former.as_deref()
    }

    pub(crate) fn key(&self) -> &str {
        self.key.as_str()
    }

    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
