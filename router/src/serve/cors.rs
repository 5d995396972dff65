//! Which pages of other origins may call, and which headers they may send and read.

use axum::http::{HeaderName, HeaderValue, Method, header, request::Parts};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{
    csrf::AllowedOrigins, delivery::STREAM_CURSOR, origin::QUERY_PLAN,
    single_connection::STREAM_TOKEN,
};

const ACCEPTED: [HeaderName; 10] = [
    STREAM_TOKEN,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("graphql-require-preflight"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("apollo-require-preflight"),
    HeaderName::from_static("x-apollo-operation-name"),
    QUERY_PLAN,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
];

const EXPOSED: [HeaderName; 5] = [
    STREAM_CURSOR,
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
    header::RETRY_AFTER,
];

/// Answers preflights, and lets pages of allowed origins read responses.
pub(super) fn layer(origins: AllowedOrigins) -> CorsLayer {
    let allowed = move |origin: &HeaderValue, _: &Parts| {
        origin.to_str().is_ok_and(|origin| origins.allows(origin))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(ACCEPTED)
        .expose_headers(EXPOSED)
}
