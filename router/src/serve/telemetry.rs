//! What operators see of requests, and the trace that a request belongs to.
//!
//! Invariant: every label is bounded: routes come from the router's table, methods and statuses from HTTP.

use std::{sync::LazyLock, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, Method},
    middleware::Next,
    response::Response,
};
use chassis::telemetry::{
    Latency, REQUEST_SECONDS,
    http::{self, request_span},
    trace,
};
use federation::Prepared;
use prometheus::{IntCounter, IntCounterVec};
use tracing::Instrument as _;

use crate::error::RequestError;

static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    prometheus::register_int_counter_vec!(
        "marketplace_router_requests_total",
        "Requests by route, method and status.",
        &["route", "method", "status"]
    )
    .expect("registered once")
});

static DURATION: LazyLock<Latency> = LazyLock::new(|| {
    Latency::register(
        "marketplace_router_request_seconds",
        "Time until the head of the answer, by route.",
        &["route"],
        REQUEST_SECONDS,
    )
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

/// Counts, times, logs and traces a request to the route that was found for it.
pub(super) async fn observe(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("other", MatchedPath::as_str)
        .to_owned();
    observed(request, &route, |request| next.run(request)).await
}

/// Counts, times, logs and traces what `serve` does for a request to `route`.
pub(super) async fn observed<F>(
    mut request: Request,
    route: &str,
    serve: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let started = Instant::now();
    let method = method_label(request.method());
    let span = request_span(request.headers_mut(), method, route);
    let response = serve(request).instrument(span.clone()).await;
    let status = response.status();
    let elapsed = started.elapsed();
    http::answered(&span, status);
    REQUESTS
        .with_label_values(&[route, method, status.as_str()])
        .inc();
    DURATION.observe_in(&span, &[route], elapsed.as_secs_f64());
    let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let status = status.as_u16();
    span.in_scope(|| {
        if status >= 500 {
            tracing::warn!(method, route, status, duration_ms, "request failed");
        } else {
            tracing::debug!(method, route, status, duration_ms, "request");
        }
    });
    response
}

/// Shows every known series from the start, so that none is missing until its first event.
pub(super) fn announce() {
    for kind in ["query", "mutation", "subscription"] {
        OPERATIONS.with_label_values(&[kind]).inc_by(0);
    }
    LazyLock::force(&SLOW_CLIENTS);
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

/// The trace context of a request, of its own span.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<String> {
    http::traceparent(headers).map(str::to_owned)
}

/// Names the trace in a fault, so that its cause can be found in the log.
pub(super) fn traced(refused: RequestError, traceparent: Option<&str>) -> RequestError {
    match traceparent {
        Some(trace) if refused.status().is_server_error() => {
            refused.with("traceId", trace::trace_id(trace).unwrap_or_default())
        }
        Some(_) | None => refused,
    }
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
