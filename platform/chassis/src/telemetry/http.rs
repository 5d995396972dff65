//! The entry span of an HTTP request, for every server.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tracing::{Span, field::Empty};

use super::trace;

/// W3C Trace Context's header.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Opens the span of a request and makes its `traceparent` header that of the span.
///
/// `route` is the template that matched, never the path.
#[must_use]
pub fn request_span(headers: &mut HeaderMap, method: &str, route: &str) -> Span {
    let span = tracing::info_span!(
        "request",
        // Formatted only where traces are recorded.
        otel.name = %format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        trace_id = Empty,
    );
    let (span, header) = trace::begin(span, traceparent(headers));
    if let Ok(value) = HeaderValue::try_from(header) {
        headers.insert(TRACEPARENT, value);
    }
    span
}

/// Writes the outcome on the span.
pub fn answered(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

/// The trace context that a request came with.
#[must_use]
pub fn traceparent(headers: &HeaderMap) -> Option<&str> {
    headers.get(TRACEPARENT)?.to_str().ok()
}
