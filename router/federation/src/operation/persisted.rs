//! Automatic persisted operations: a client sends a hash, and the text only when the hash is unknown.
//!
//! Invariant: a text is stored under its own hash alone, computed here, so nobody can plant another text.
//! Source: Apollo's protocol `extensions.persistedQuery`, version 1.

use std::sync::Arc;

use moka::sync::Cache;

use crate::request::{Code, GraphRequest, RequestError, document_hash};

/// Texts by their hash, bounded in bytes.
pub(crate) struct PersistedOperations {
    texts: Cache<String, Arc<str>>,
}

impl PersistedOperations {
    /// An empty store for so many bytes of text.
    pub(crate) fn new(max_bytes: u64) -> Self {
        let weigh = |hash: &String, text: &Arc<str>| {
            u32::try_from(hash.len() + text.len()).unwrap_or(u32::MAX)
        };
        Self {
            texts: Cache::builder()
                .max_capacity(max_bytes)
                .weigher(weigh)
                .build(),
        }
    }

    /// The text that a request means.
    ///
    /// # Errors
    /// [`Code::PERSISTED_QUERY_NOT_FOUND`] when the hash is unknown and no text came along,
    /// [`Code::BAD_REQUEST`] when there is neither, or text and hash differ.
    pub(crate) fn text(&self, request: &GraphRequest) -> Result<Arc<str>, RequestError> {
        let refuse = |text: &str| Err(RequestError::new(Code::BAD_REQUEST, text));
        let text = request.query.as_deref().filter(|text| !text.is_empty());
        let Some(name) = request.document_name() else {
            return text.map_or_else(
                || refuse("the request has no query"),
                |text| Ok(text.into()),
            );
        };
        if !name.is_known_version {
            return refuse("the version of persistedQuery is not 1");
        }
        let Some(hash) = name.id else {
            return refuse("persistedQuery has no sha256Hash");
        };
        let hash = hash.to_ascii_lowercase();
        match text {
            None => self.texts.get(&hash).ok_or_else(not_found),
            Some(text) if document_hash(text) == hash => {
                let text: Arc<str> = text.into();
                self.texts.insert(hash, text.clone());
                Ok(text)
            }
            Some(_) => refuse("provided sha does not match query"),
        }
    }
}

/// The message is the one that clients of the protocol look for.
fn not_found() -> RequestError {
    RequestError::new(Code::PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query: Option<&str>, hash: &str) -> GraphRequest {
        let mut request = GraphRequest {
            query: query.map(str::to_owned),
            ..GraphRequest::default()
        };
        request.name_document(hash);
        request
    }

    #[test]
    fn a_text_is_found_by_its_hash_once_it_came_in_full() {
        let store = PersistedOperations::new(10_000);
        let hash = document_hash("{a}");
        let missing = store.text(&request(None, &hash)).unwrap_err();
        assert_eq!(missing.code(), Code::PERSISTED_QUERY_NOT_FOUND);
        assert_eq!(missing.errors()[0].message, "PersistedQueryNotFound");
        assert_eq!(&*store.text(&request(Some("{a}"), &hash)).unwrap(), "{a}");
        assert_eq!(
            &*store.text(&request(None, &hash.to_uppercase())).unwrap(),
            "{a}"
        );
    }

    /// Seen red with the comparison of the hashes removed.
    #[test]
    fn a_text_cannot_be_planted_under_a_foreign_hash() {
        let store = PersistedOperations::new(10_000);
        let hash = document_hash("{a}");
        let refused = store.text(&request(Some("{b}"), &hash)).unwrap_err();
        assert_eq!(refused.code(), Code::BAD_REQUEST);
        let missing = store.text(&request(None, &hash)).unwrap_err();
        assert_eq!(missing.code(), Code::PERSISTED_QUERY_NOT_FOUND);
    }
}
