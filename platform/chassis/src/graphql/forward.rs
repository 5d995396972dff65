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
    /// The header `Idempotency-Key`.
    pub idempotency_key: Option<String>,
}

impl Forwarded {
    /// The headers for a subgraph of another process. What no header can hold is left out.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let bearer = self
            .token
            .as_ref()
            .map(|token| format!("Bearer {}", token.expose()));
        if let Some(Ok(mut bearer)) = bearer.map(HeaderValue::try_from) {
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
        }
        if let Some(Ok(key)) = self.idempotency_key.as_deref().map(HeaderValue::try_from) {
            headers.insert(HeaderName::from_static("idempotency-key"), key);
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
            data.insert(IdempotencyKeyHeader(key.clone().into_bytes()));
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
            idempotency_key: Some("k".to_owned()),
            ..Forwarded::default()
        };
        let headers = forwarded.headers();
        assert_eq!(headers[header::AUTHORIZATION], "Bearer t");
        assert!(headers[header::AUTHORIZATION].is_sensitive());
        assert_eq!(headers["idempotency-key"], "k");
    }

    #[test]
    fn what_no_header_can_hold_is_left_out() {
        let forwarded = Forwarded {
            idempotency_key: Some("a\0b".to_owned()),
            ..Forwarded::default()
        };
        assert!(forwarded.headers().is_empty());
        assert!(forwarded.data().get::<IdempotencyKeyHeader>().is_some());
    }
}
