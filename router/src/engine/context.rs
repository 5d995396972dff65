//! Who asks, in the engine's words: headers for subgraphs that are called by HTTP, data for those of this process.

use std::sync::Arc;

use chassis::{config::Secret, graphql::IdempotencyKeyHeader, principal::Principal};
use federation::RequestContext;
use http::{Extensions, HeaderMap, HeaderValue, header::AUTHORIZATION};
use tokio::time::Instant;

/// What a transport knows of a request besides its operation.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// The verified caller; `None` when no token came.
    pub principal: Option<Arc<Principal>>,
    /// The token, forwarded to subgraphs of other processes.
    pub token: Option<Secret>,
    /// The header `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

impl Parts {
    /// The context of a request that must end at `deadline`.
    #[must_use]
    pub fn into_context(self, deadline: Instant) -> RequestContext {
        let mut headers = HeaderMap::new();
        let mut data = Extensions::new();
        if let Some(token) = &self.token
            && let Ok(mut bearer) = HeaderValue::try_from(format!("Bearer {}", token.expose()))
        {
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        if let Some(principal) = self.principal {
            data.insert(principal);
        }
        let is_idempotent = self.idempotency_key.is_some();
        if let Some(key) = self.idempotency_key {
            if let Ok(key) = HeaderValue::try_from(&key) {
                headers.insert("idempotency-key", key);
            }
            data.insert(IdempotencyKeyHeader(key.into_bytes()));
        }
        RequestContext {
            headers: Arc::new(headers),
            data: Arc::new(data),
            traceparent: self.traceparent,
            is_idempotent,
            deadline,
        }
    }
}

/// The verified caller of a request; `None` when no token came.
#[must_use]
pub fn principal(ctx: &RequestContext) -> Option<&Arc<Principal>> {
    ctx.data.get()
}
