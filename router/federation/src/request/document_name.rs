//! How a request names its text in place of bringing it, or beside it.
//!
//! Source: Apollo's protocol `extensions.persistedQuery`, version 1.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::GraphRequest;

const EXTENSION: &str = "persistedQuery";
const VERSION: u64 = 1;
const ID: &str = "sha256Hash";

/// What a request names its text by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentName<'a> {
    /// The id, which for an operation that clients persist is [`document_hash`]; `None` where the extension has none.
    pub id: Option<&'a str>,
    /// Whether the extension is of the version of the protocol that is known here.
    pub is_known_version: bool,
}

impl GraphRequest {
    /// The name of its text, where it has one.
    #[must_use]
    pub fn document_name(&self) -> Option<DocumentName<'_>> {
        let extension = self.extensions.get(EXTENSION)?;
        Some(DocumentName {
            id: extension.get(ID).and_then(Value::as_str),
            is_known_version: extension.get("version").and_then(Value::as_u64) == Some(VERSION),
        })
    }

    /// Names its text.
    pub fn name_document(&mut self, id: &str) {
        let extension = json!({ "version": VERSION, ID: id });
        self.extensions.insert(EXTENSION.to_owned(), extension);
    }

    /// Takes the name away: the text that is there is meant.
    pub fn forget_document_name(&mut self) {
        self.extensions.remove(EXTENSION);
    }
}

/// The SHA-256 of a text in small hexadecimal digits, as clients compute it.
#[must_use]
pub fn document_hash(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        write!(hex, "{byte:02x}").expect("a String takes whatever is written");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_read_and_what_is_no_name_has_no_id() {
        let mut request = GraphRequest::default();
        assert_eq!(request.document_name(), None);
        request.name_document(&document_hash("{a}"));
        let name = request.document_name().unwrap();
        // Of `printf '{a}' | sha256sum`.
        let hash = "460c3a93211614ac783c0f1d1bbbcb45a6da87d6421b5c0771772588f1015ff8";
        assert_eq!((name.id, name.is_known_version), (Some(hash), true));
        for (extension, id) in [
            (json!({ "version": 2, ID: "x" }), Some("x")),
            (json!({ ID: 1 }), None),
            (json!("x"), None),
        ] {
            request.extensions.insert(EXTENSION.to_owned(), extension);
            let name = request.document_name().unwrap();
            assert_eq!((name.id, name.is_known_version), (id, false));
        }
        request.forget_document_name();
        assert_eq!(request.document_name(), None);
    }
}
