//! How HTTP shows a caller its budget: `RateLimit-*` on responses, `Retry-After` on refusals.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use chassis::budget::{Charge, whole_seconds};
use chrono::{DateTime, Utc};

use crate::error::RequestError;

/// What is left of the caller's budget at `now`.
pub(super) fn headers(charge: &Charge, now: DateTime<Utc>) -> [(HeaderName, HeaderValue); 3] {
    let left = (charge.reset_at - now).to_std().unwrap_or_default();
    [
        ("ratelimit-limit", charge.limit),
        ("ratelimit-remaining", charge.remaining),
        ("ratelimit-reset", whole_seconds(left)),
    ]
    .map(|(name, number)| (HeaderName::from_static(name), HeaderValue::from(number)))
}

/// Copies a refusal's `retryAfterSeconds` to the header `Retry-After`.
pub(super) fn retry_after(error: &RequestError, headers: &mut HeaderMap) {
    if let Some(pause) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(pause.as_secs()));
    }
}
