//! What every listener of the shim does to every request: bound it, count it, survive its panic.
//!
//! In: a surface's routes. Out: the same routes with a body bound, a refusal for pages of other sites, a metric per
//! route and a 500 instead of a panic.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request},
    http::Method,
    middleware::{self, Next},
    response::Response,
};
use bytes::Bytes;
use chassis::telemetry::{Latency, REQUEST_SECONDS, http};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use schema::code::ErrorCode;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use super::error::Problem;

/// The longest body that a client may send. Source: docs/contracts.md §9.
pub(super) const BODY_LIMIT_BYTES: usize = 1024 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

static REQUESTS: LazyLock<Latency> = LazyLock::new(|| {
    Latency::register(
        "marketplace_rest_request_duration_seconds",
        "Requests of the REST shim, by surface, route and status.",
        &["surface", "route", "status"],
        REQUEST_SECONDS,
    )
});

/// Adds what all surfaces share. `problem` gives a problem the surface's own form.
pub(super) fn finish(
    surface: &'static str,
    routes: Router,
    problem: fn(&Problem) -> Response,
) -> Router {
    let foreign = move |request: Request, next: Next| async move {
        if is_foreign(&request) {
            return problem(&Problem::masked(ErrorCode::CsrfRefused));
        }
        next.run(request).await
    };
    let panicked = move |_: Box<dyn std::any::Any + Send>| {
        tracing::error!(surface, "a request of the rest shim panicked");
        problem(&Problem::masked(ErrorCode::Internal))
    };
    routes
        .layer(middleware::from_fn(foreign))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(move |request: Request, next: Next| async move {
            measure(surface, request, next).await
        }))
}

/// A browser marks a call that a page of another site made; no other client sends this header.
///
/// The shim believes the user in the path, so a page that a user visits must not be able to write here.
fn is_foreign(request: &Request) -> bool {
    let site = request.headers().get("sec-fetch-site");
    *request.method() != Method::GET && site.is_some_and(|site| site == "cross-site")
}

async fn measure(surface: &'static str, mut request: Request, next: Next) -> Response {
    let started_at = Instant::now();
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let span = http::request_span(request.headers_mut(), method.as_str(), &route);
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    http::answered(&span, status);
    let labels = [surface, &route, status.as_str()];
    REQUESTS.observe_in(&span, &labels, started_at.elapsed().as_secs_f64());
    response
}

/// Reads a body within its bounds of size and time.
///
/// # Errors
/// [`Problem`] when it is longer than [`BODY_LIMIT_BYTES`], breaks off, or takes too long.
pub(super) async fn body(body: Body) -> Result<Bytes, Problem> {
    let read = Limited::new(body, BODY_LIMIT_BYTES).collect();
    match tokio::time::timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::refused(
            ErrorCode::PayloadTooLarge,
            "the body is longer than 1 MiB",
        )),
        Ok(Err(_)) => Err(Problem::refused(
            ErrorCode::BadRequest,
            "the body broke off",
        )),
        Err(_) => Err(Problem::refused(
            ErrorCode::BadRequest,
            "the body took too long to arrive",
        )),
    }
}
