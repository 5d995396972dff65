//! What every listener of the shim does to every request: charge it, bound it, count it, survive its panic.
//!
//! In: a surface's routes. Out: the same routes with a body bound, a refusal for pages of other sites and for heads that no
//! surface takes, a metric per route, headers that keep browsers from guessing, and a 500 instead of a panic.

use std::{sync::LazyLock, time::Instant};

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::{self, Next},
    response::Response,
};
use bytes::Bytes;
use chassis::{
    budget::Account,
    fault::Coded as _,
    listen::{BodyTimeout, is_own_origin},
    request_rules,
    telemetry::{Latency, REQUEST_SECONDS, http},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use schema::code::ErrorCode;
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};
use tracing::Instrument as _;

use super::{
    account::{self, Accounts},
    error::Problem,
    profile::PATH as PROFILE_PATH,
};

/// The longest body that a client may send. Source: docs/contracts.md §9.
pub(super) const BODY_LIMIT_BYTES: usize = 1024 * 1024;

/// The refusal of a page, whose author has no setting to turn: what may write is said instead.
const FOREIGN_PAGE: &str = "a page of another origin may not write here: these listeners believe whom a call names, so \
    only programs and pages of this listener's own origin may";
/// What a page of ours may load: nothing from elsewhere. Swagger UI styles its elements one by one.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// For the browsers: no guessing of types, no copies, no frames.
const PROTECTION: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
];

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
    accounts: &Accounts,
    problem: fn(&Problem) -> Response,
) -> Router {
    let accounts = accounts.clone();
    let checked = move |request: Request, next: Next| {
        let account = accounts.of(&request);
        async move {
            if let Some(Err(spent)) = account.as_ref().map(Account::check) {
                return problem(&spent.into());
            }
            let response = match (check(&request), account.clone()) {
                (Err(refused), _) => problem(&refused),
                (Ok(()), Some(account)) => account.pay_for(next.run(request)).await,
                (Ok(()), None) => next.run(request).await,
            };
            account::charge_refused(account.as_ref(), response.status());
            response
        }
    };
    let panicked = move |_: Box<dyn std::any::Any + Send>| {
        tracing::error!(surface, "a request of the rest shim panicked");
        problem(&Problem::masked(ErrorCode::Internal))
    };
    let mut routes = routes.layer(middleware::from_fn(checked));
    for (name, value) in PROTECTION {
        let value = HeaderValue::from_static(value);
        routes = routes.layer(SetResponseHeaderLayer::if_not_present(name, value));
    }
    routes
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(move |request: Request, next: Next| async move {
            measure(surface, request, next).await
        }))
}

/// Refuses what no surface takes.
///
/// # Errors
/// [`Problem`] for a page of another origin that would change something, for an `Idempotency-Key` that would be lost, and
/// for a compressed body.
fn check(request: &Request) -> Result<(), Problem> {
    if changes_something(request) && is_foreign(request.headers()) {
        return Err(Problem::refused(ErrorCode::CsrfRefused, FOREIGN_PAGE));
    }
    request_rules::idempotency_key(request.headers()).map_err(unfit)?;
    request_rules::refuse_encoded(request.headers()).map_err(unfit)
}

fn unfit(error: request_rules::Unfit) -> Problem {
    Problem::refused(error.code(), error.to_string())
}

/// Whether a call writes; taking a profile costs as much as a write does.
fn changes_something(request: &Request) -> bool {
    let is_read = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    !is_read || request.uri().path() == PROFILE_PATH
}

/// Whether a browser marks a call as made by a page of another origin; no other client sends these headers.
///
/// The shim believes the user in the path, so a page that a user visits must not be able to write here. Older browsers
/// send `Origin` alone, and a page on another port of this machine is `same-site`.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let host = headers.get(header::HOST).map(text).unwrap_or_default();
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let mut sites = headers.get_all("sec-fetch-site").iter();
    origins.any(|origin| !is_own_origin(&text(origin), &host))
        || sites.any(|site| site != "same-origin" && site != "none")
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
    let error = match read.await {
        Ok(body) => return Ok(body.to_bytes()),
        Err(error) => error,
    };
    if error.is::<LengthLimitError>() {
        let message = "the body is longer than 1 MiB";
        return Err(Problem::refused(ErrorCode::PayloadTooLarge, message));
    }
    let message = if BodyTimeout::is_cause_of(error.as_ref()) {
        "the body took too long to arrive"
    } else {
        "the body broke off"
    };
    Err(Problem::refused(ErrorCode::BadRequest, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: Method, path: &str, pairs: &[(&str, &str)]) -> Option<ErrorCode> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in [("host", "127.0.0.1:8080")].iter().chain(pairs) {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        check(&request).err().map(|problem| problem.code)
    }

    /// Seen red with `Sec-Fetch-Site: cross-site` as the only mark.
    #[test]
    fn no_page_of_another_origin_writes() {
        let foreign: [&[(&str, &str)]; 7] = [
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "http://evil.example")],
            &[("origin", "http://127.0.0.1:4000")],
            &[("origin", "null")],
            &[
                ("origin", "http://127.0.0.1:8080"),
                ("origin", "http://evil.example"),
            ],
            &[
                ("origin", "http://127.0.0.1:8080"),
                ("sec-fetch-site", "cross-site"),
            ],
        ];
        for pairs in foreign {
            for method in [Method::POST, Method::DELETE, Method::PUT] {
                let code = refused(method, "/user/1/cart", pairs);
                assert_eq!(code, Some(ErrorCode::CsrfRefused), "{pairs:?}");
            }
            assert_eq!(refused(Method::GET, "/user/1/cart", pairs), None);
            let profile = refused(Method::GET, PROFILE_PATH, pairs);
            assert_eq!(profile, Some(ErrorCode::CsrfRefused), "{pairs:?}");
        }
    }

    #[test]
    fn programs_and_our_own_pages_write() {
        let own: [&[(&str, &str)]; 3] = [
            &[],
            &[
                ("origin", "http://127.0.0.1:8080"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[("sec-fetch-site", "none")],
        ];
        for pairs in own {
            assert_eq!(
                refused(Method::POST, "/user/1/cart", pairs),
                None,
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn a_key_that_would_be_lost_and_a_compressed_body_are_refused_before_anything_is_read() {
        for (name, value, code) in [
            ("idempotency-key", "", ErrorCode::InvalidArgument),
            ("idempotency-key", "\u{436}", ErrorCode::InvalidArgument),
            ("content-encoding", "gzip", ErrorCode::UnsupportedMediaType),
        ] {
            let found = refused(Method::POST, "/order/create", &[(name, value)]);
            assert_eq!(found, Some(code), "{name}");
        }
    }
}
