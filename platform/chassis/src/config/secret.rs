//! Texts that must not be shown.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a secret shows as.
pub(super) const MASK: &str = "***";

/// The text with `***` for what stands before the `@` of each URL in it, but for the user's name: an address may hold a
/// password. Source: RFC 3986 §3.2.1.
#[must_use]
pub fn mask_urls(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let end =
            after.find(|it: char| it.is_whitespace() || matches!(it, '/' | '?' | '#' | '"' | '\\'));
        let (authority, tail) = after.split_at(end.unwrap_or(after.len()));
        masked.push_str(before);
        masked.push_str("://");
        match authority.rsplit_once('@') {
            Some((userinfo, host)) => {
                if let Some((name, _)) = userinfo.split_once(':') {
                    masked.push_str(name);
                    masked.push(':');
                }
                masked.push_str(MASK);
                masked.push('@');
                masked.push_str(host);
            }
            None => masked.push_str(authority),
        }
        rest = tail;
    }
    if masked.is_empty() {
        return Cow::Borrowed(text);
    }
    masked.push_str(rest);
    Cow::Owned(masked)
}

/// A text that must not be shown: `Debug` and serialisation give `***`. Its clones share it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self::from(text)
    }

    /// The text itself: for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing was set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { MASK })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { MASK })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "password", "writeOnly": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails with the first `@` as the end of the password.
    #[test]
    fn no_url_shows_a_password() {
        for (text, shown) in [
            ("http://u:p@h/x", "http://u:***@h/x"),
            ("http://u:p@q@h:1?a=b@c", "http://u:***@h:1?a=b@c"),
            ("http://token@h", "http://***@h"),
            ("http://:p@h", "http://:***@h"),
            (
                "a \"http://u:p@h\", http://v:q@g#f",
                "a \"http://u:***@h\", http://v:***@g#f",
            ),
            ("http://h/a@b", "http://h/a@b"),
            ("user@example", "user@example"),
            ("http://u:p@", "http://u:***@"),
            ("://", "://"),
            ("", ""),
        ] {
            assert_eq!(mask_urls(text), shown, "{text}");
        }
    }
}
