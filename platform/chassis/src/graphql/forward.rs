//! What a call to a subgraph carries of its caller: headers to another process, data within this one.
//!
//! Invariant: a resolver cannot tell the two apart; `subgraph_routes` makes the same data from the headers.

use std::sync::Arc;

use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};

use super::IdempotencyKeyHeader;
use crate::{config::Secret, principal::Principal};

/// The caller of an operation, as a router passes it on.
#[derive(Debug, Clone, Default)]
pub struct Forwarded {
    /// The verified caller; `None` when no token came.
    pub principal: Option<Arc<Principal>>,
    /// The token that proves the caller to another process.
    pub token: Option<Secret>,
    /// The header `Idempotency-Key`, unchecked: the rule of keys is the subgraph's, where an input's field may hold one too.
    pub idempotency_key: Option<HeaderValue>,
}

impl Forwarded {
    /// The headers for a subgraph of another process. A token that no header can hold is left out.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        // Of just the size, for a stream keeps them.
        let mut headers = HeaderMap::with_capacity(2);
        let bearer = self
            .token
            .as_ref()
            .map(|token| format!("Bearer {}", token.expose()));
        if let Some(Ok(mut bearer)) = bearer.map(HeaderValue::try_from) {
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
        }
        if let Some(key) = &self.idempotency_key {
            headers.insert(HeaderName::from_static("idempotency-key"), key.clone());
        }
        headers
    }

    /// The data for a subgraph of this process, each found by its type: `Arc<Principal>`, [`IdempotencyKeyHeader`].
    #[must_use]
    pub fn data(&self) -> Extensions {
        let mut data = Extensions::new();
        if let Some(principal) = &self.principal {
            data.insert(Arc::clone(principal));
        }
        if let Some(key) = &self.idempotency_key {
            data.insert(IdempotencyKeyHeader(key.as_bytes().to_vec()));
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_header_that_no_log_shows() {
        let forwarded = Forwarded {
            token: Some(Secret::new("t".to_owned())),
            idempotency_key: Some(HeaderValue::from_static("k")),
            ..Forwarded::default()
        };
        let headers = forwarded.headers();
        assert_eq!(headers[header::AUTHORIZATION], "Bearer t");
        assert!(headers[header::AUTHORIZATION].is_sensitive());
        assert_eq!(headers["idempotency-key"], "k");
    }

    #[test]
    fn a_key_reaches_the_subgraph_whatever_it_holds() {
        for key in ["", "ключ"] {
            let forwarded = Forwarded {
                idempotency_key: Some(HeaderValue::from_bytes(key.as_bytes()).unwrap()),
                ..Forwarded::default()
            };
            let headers = forwarded.headers();
            assert_eq!(headers["idempotency-key"].as_bytes(), key.as_bytes());
            let data = forwarded.data();
            let IdempotencyKeyHeader(bytes) = data.get().unwrap();
            assert_eq!(bytes, key.as_bytes());
        }
    }
}
