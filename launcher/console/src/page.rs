//! The page `/ops` and its files, which are in the binary.
//!
//! Invariant: the page loads nothing from elsewhere, and speaks to nobody but this listener and the router; its content
//! security policy forbids the rest.

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use rust_embed::RustEmbed;
use url::{Position, Url};

/// The page's own files.
#[derive(RustEmbed)]
#[folder = "web"]
struct Web;

/// What it has in common with the router's pages.
const SHARED: [(&str, &str); 6] = [
    (
        "plain.css",
        include_str!("../../../router/web/plain/plain.css"),
    ),
    ("sse.js", include_str!("../../../router/web/src/sse.js")),
    (
        "websocket.js",
        include_str!("../../../router/web/src/websocket.js"),
    ),
    (
        "resume.js",
        include_str!("../../../router/web/src/resume.js"),
    ),
    (
        "demo-token.js",
        include_str!("../../../router/web/src/demo-token.js"),
    ),
    (
        "shop-elements.js",
        include_str!("../../../router/web/shop/shop-elements.js"),
    ),
];

/// `/ops` and its files, for a page that speaks to `router`.
pub(crate) fn routes(router: &Url) -> Router {
    Router::new()
        .route("/", get(async || Redirect::temporary("/ops")))
        .route("/ops", get(page))
        .route("/ops/assets/{name}", get(asset))
        .with_state(policy(router))
}

/// What the page may load, and to whom it may speak.
fn policy(router: &Url) -> HeaderValue {
    let origin = &router[..Position::BeforePath];
    let socket = origin.replacen("http", "ws", 1);
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
         connect-src 'self' {origin} {socket}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let none = HeaderValue::from_static("default-src 'none'");
    HeaderValue::try_from(policy).unwrap_or(none)
}

async fn page(State(policy): State<HeaderValue>) -> Response {
    let Some(html) = Web::get("index.html") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = file(html.data.into_owned(), "text/html; charset=utf-8");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

async fn asset(Path(name): Path<String>) -> Response {
    let media_type = match name.rsplit_once('.') {
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let shared = SHARED.iter().find(|(known, _)| *known == name);
    // A name with a slash is in no list: the files lie flat.
    let found = shared.map(|(_, text)| text.as_bytes().to_vec());
    let own = || {
        let is_plain = !name.contains(['/', '\\']) && !name.starts_with('.');
        let file = is_plain.then(|| Web::get(&name)).flatten()?;
        Some(file.data.into_owned())
    };
    found.or_else(own).map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |content| file(content, media_type),
    )
}

fn file(content: Vec<u8>, media_type: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (HeaderMap::from_iter(headers), content).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    use super::*;

    async fn get_path(path: &str) -> (StatusCode, HeaderMap, String) {
        let router = Url::parse("http://127.0.0.1:4000/").unwrap();
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = routes(&router).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        (parts.status, parts.headers, text)
    }

    #[tokio::test]
    async fn every_file_that_the_page_names_is_served_and_none_is_elsewhere() {
        let (status, headers, html) = get_path("/ops").await;
        assert_eq!(status, StatusCode::OK);
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.contains("connect-src 'self' http://127.0.0.1:4000 ws://127.0.0.1:4000;"),
            "{policy}"
        );
        assert!(!html.contains("//"), "it names another address: {html}");
        let mut named: Vec<String> = html
            .split('"')
            .filter(|text| text.starts_with("/ops/assets/"))
            .map(str::to_owned)
            .collect();
        let mut next = 0;
        while next < named.len() {
            let (status, _, body) = get_path(&named[next]).await;
            assert_eq!(status, StatusCode::OK, "{}", named[next]);
            let imported = body.split('"').filter_map(|text| text.strip_prefix("./"));
            let imported = imported.map(|name| format!("/ops/assets/{name}"));
            let fresh: Vec<_> = imported.filter(|path| !named.contains(path)).collect();
            named.extend(fresh);
            next += 1;
        }
    }

    #[tokio::test]
    async fn no_other_file_is_served() {
        for path in [
            "/ops/assets/..%2FCargo.toml",
            "/ops/assets/..%2Fsrc%2Flib.js",
            "/ops/assets/index.html",
            "/ops/assets/.hidden.js",
            "/ops/assets/none.js",
        ] {
            assert_eq!(get_path(path).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
