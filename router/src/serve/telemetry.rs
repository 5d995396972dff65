//! What operators see of requests, and the trace that a request belongs to.
//!
//! Invariant: every label is bounded: routes come from the router's table, methods and statuses from HTTP.

use std::{sync::LazyLock, time::Instant};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
    routing::get,
};
use chassis::health::Health;
use prometheus::{HistogramVec, IntCounter, IntCounterVec};
use tracing::Instrument;
use uuid::Uuid;

use crate::{engine::Prepared, error::RequestError};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    prometheus::register_int_counter_vec!(
        "marketplace_router_requests_total",
        "Requests by route, method and status.",
        &["route", "method", "status"]
    )
    .expect("registered once")
});

static DURATION: LazyLock<HistogramVec> = LazyLock::new(|| {
    prometheus::register_histogram_vec!(
        "marketplace_router_request_seconds",
        "Time until the head of the answer, by route.",
        &["route"],
        vec![
            0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
            30.0
        ]
    )
    .expect("registered once")
});

static OPERATIONS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    prometheus::register_int_counter_vec!(
        "marketplace_router_operations_total",
        "Accepted operations by kind.",
        &["kind"]
    )
    .expect("registered once")
});

static SLOW_CLIENTS: LazyLock<IntCounter> = LazyLock::new(|| {
    prometheus::register_int_counter!(
        "marketplace_router_slow_clients_total",
        "Streams closed because their client took nothing for too long."
    )
    .expect("registered once")
});

/// Counts, times and logs a request, and gives it a trace if it came without one.
pub(super) async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let trace = ensure_traceparent(request.headers_mut());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("other", MatchedPath::as_str)
        .to_owned();
    let method = method_label(request.method());
    let span = tracing::debug_span!("request", trace_id = trace_id(&trace), method, route);
    let response = next.run(request).instrument(span).await;
    let status = response.status();
    let elapsed = started.elapsed();
    REQUESTS
        .with_label_values(&[route.as_str(), method, status.as_str()])
        .inc();
    DURATION
        .with_label_values(&[route.as_str()])
        .observe(elapsed.as_secs_f64());
    let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let (status, trace_id) = (status.as_u16(), trace_id(&trace));
    if status >= 500 {
        tracing::warn!(
            method,
            route,
            status,
            duration_ms,
            trace_id,
            "request failed"
        );
    } else {
        tracing::debug!(method, route, status, duration_ms, trace_id, "request");
    }
    response
}

/// Counts an operation that passed validation.
pub(super) fn operation(prepared: &Prepared) {
    OPERATIONS
        .with_label_values(&[prepared.kind().as_str()])
        .inc();
}

/// Counts a stream that was closed because its client took nothing.
pub(super) fn slow_client() {
    SLOW_CLIENTS.inc();
}

/// The request's trace context.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<String> {
    headers
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}

/// Names the trace in a fault, so that its cause can be found in the log.
pub(super) fn traced(refused: RequestError, traceparent: Option<&str>) -> RequestError {
    match traceparent {
        Some(trace) if refused.status().is_server_error() => {
            refused.with("traceId", trace_id(trace))
        }
        Some(_) | None => refused,
    }
}

/// The routes of the operators' listener.
pub(crate) fn admin_routes(health: &Health) -> Router {
    health.routes().route("/metrics", get(metrics))
}

async fn metrics() -> ([(HeaderName, HeaderValue); 1], String) {
    let plain = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    (
        [(header::CONTENT_TYPE, plain)],
        chassis::telemetry::metrics_text(),
    )
}

fn ensure_traceparent(headers: &mut HeaderMap) -> String {
    if let Some(given) = traceparent(headers).filter(|given| is_traceparent(given)) {
        return given;
    }
    let parent = Uuid::new_v4().simple().to_string();
    let made = format!(
        "00-{}-{}-01",
        Uuid::new_v4().simple(),
        parent.get(..16).unwrap_or_default()
    );
    let value = HeaderValue::from_str(&made).expect("hexadecimal digits and dashes");
    headers.insert(TRACEPARENT, value);
    made
}

/// Source: W3C Trace Context, 3.2 (version 00).
fn is_traceparent(text: &str) -> bool {
    let lengths = [2, 32, 16, 2];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == length
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        })
}

fn trace_id(traceparent: &str) -> &str {
    traceparent.get(3..35).unwrap_or_default()
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_trace_is_replaced_and_a_good_one_kept() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_static(given));
        assert_eq!(ensure_traceparent(&mut headers), given);
        headers.insert(TRACEPARENT, HeaderValue::from_static("00-xyz"));
        let made = ensure_traceparent(&mut headers);
        assert!(is_traceparent(&made), "{made}");
        assert_eq!(traceparent(&headers), Some(made));
    }
}
