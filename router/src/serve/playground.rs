//! The pages that the router serves: the playground at `/`, the live page at `/live`, the shop at `/shop`, their files under
//! `/assets`.
//!
//! The playground is GraphiQL, built from npm into a folder (`make playground`) and read from there while the router
//! runs. Where it was not built, a plain page has the same operations and explains how to build it. The plain page,
//! the live page and the shop are in the binary. Invariant: no page loads anything from elsewhere; their content security
//! policy forbids it.

use std::path::Path;

use axum::{
    Extension, Router,
    extract::{Path as UrlPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::compress::{self, Coding};

use crate::config::Playground;

/// Monaco writes its styles into the page, and its icons are `data:`.
const BUILT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    font-src 'self' data:; img-src 'self' data:; connect-src 'self'; worker-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PLAIN_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// File names of the bundle hold a digest of the content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// Serves the pages at `/`, `/live` and `/shop` and their files under `/assets`.
pub(super) fn routes(config: Playground, compress: bool) -> Router {
    let routes = Router::new()
        .route("/", get(page))
        .route("/live", get(live))
        .route("/shop", get(shop))
        .route("/assets/{name}", get(asset))
        .with_state(config);
    if compress {
        routes.layer(middleware::from_fn(compressed))
    } else {
        routes
    }
}

/// Sends each file as its client takes it. The handlers see in the request what that is.
async fn compressed(mut request: Request, next: Next) -> Response {
    let coding = Coding::asked(request.headers());
    request.extensions_mut().insert(coding);
    coding.encode(next.run(request).await).await
}

/// Whether a browser opens the address of the graph, with nothing to ask there: the playground is what its user looks for.
pub(super) fn is_visit(request: &Parts) -> bool {
    let accepted = request.headers.get_all(header::ACCEPT).iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    request.uri.query().is_none() && accepted.any(|types| types.contains("text/html"))
}

/// Looks for the built page at every request, so that building it needs no restart.
async fn page(State(config): State<Playground>) -> Response {
    match tokio::fs::read(config.dir.join("index.html")).await {
        Ok(html) => html_page(html, BUILT_POLICY),
        Err(_) => html_page(PLAIN_PAGE.into(), PLAIN_POLICY),
    }
}

async fn live() -> Response {
    html_page(LIVE_PAGE.into(), PLAIN_POLICY)
}

async fn shop() -> Response {
    html_page(SHOP_PAGE.into(), PLAIN_POLICY)
}

async fn asset(
    State(config): State<Playground>,
    UrlPath(name): UrlPath<String>,
    coding: Option<Extension<Coding>>,
) -> Response {
    let Some(media_type) = media_type(&name).filter(|_| is_plain(&name)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // The build has compressed it better than there is time for here.
    if let Some(Extension(Coding::Gzip)) = coding {
        let pressed = config.dir.join("assets").join(format!("{name}.gz"));
        if let Ok(content) = tokio::fs::read(pressed).await {
            let mut response = file(content, media_type, FOR_EVER);
            compress::mark_as_gzip(response.headers_mut());
            return response;
        }
    }
    match tokio::fs::read(config.dir.join("assets").join(&name)).await {
        Ok(content) => file(content, media_type, FOR_EVER),
        Err(_) => own_asset(&name).map_or_else(
            || StatusCode::NOT_FOUND.into_response(),
            |content| file(content.into_bytes(), media_type, ASK_AGAIN),
        ),
    }
}

const PLAIN_PAGE: &str = include_str!("../../web/plain/index.html");
const LIVE_PAGE: &str = include_str!("../../web/live/index.html");
const SHOP_PAGE: &str = include_str!("../../web/shop/index.html");

/// What the plain page, the live page and the shop need.
const OWN_ASSETS: [(&str, &str); 15] = [
    ("plain.js", include_str!("../../web/plain/plain.js")),
    ("plain.css", include_str!("../../web/plain/plain.css")),
    ("live.js", include_str!("../../web/live/live.js")),
    ("shop.css", include_str!("../../web/shop/shop.css")),
    ("shop.js", include_str!("../../web/shop/shop.js")),
    (
        "shop-graph.js",
        include_str!("../../web/shop/shop-graph.js"),
    ),
    (
        "shop-elements.js",
        include_str!("../../web/shop/shop-elements.js"),
    ),
    (
        "shop-products.js",
        include_str!("../../web/shop/shop-products.js"),
    ),
    ("shop-cart.js", include_str!("../../web/shop/shop-cart.js")),
    (
        "shop-orders.js",
        include_str!("../../web/shop/shop-orders.js"),
    ),
    ("sse.js", include_str!("../../web/src/sse.js")),
    ("websocket.js", include_str!("../../web/src/websocket.js")),
    ("resume.js", include_str!("../../web/src/resume.js")),
    ("session.js", include_str!("../../web/src/session.js")),
    ("demo-token.js", include_str!("../../web/src/demo-token.js")),
];

/// The ten operations of the playground, in order.
const OPERATIONS: [&str; 10] = [
    include_str!("../../web/src/operations/01-browse.graphql"),
    include_str!("../../web/src/operations/02-add-to-cart.graphql"),
    include_str!("../../web/src/operations/03-too-many.graphql"),
    include_str!("../../web/src/operations/04-watch.graphql"),
    include_str!("../../web/src/operations/05-checkout.graphql"),
    include_str!("../../web/src/operations/06-same-key.graphql"),
    include_str!("../../web/src/operations/07-pay.graphql"),
    include_str!("../../web/src/operations/08-history.graphql"),
    include_str!("../../web/src/operations/09-not-yours.graphql"),
    include_str!("../../web/src/operations/10-too-costly.graphql"),
];

fn own_asset(name: &str) -> Option<String> {
    if name == "operations.js" {
        let operations = serde_json::Value::from(OPERATIONS.as_slice());
        return Some(format!("export const OPERATIONS = {operations};\n"));
    }
    let (_, content) = OWN_ASSETS.iter().find(|(known, _)| *known == name)?;
    Some((*content).to_owned())
}

fn html_page(html: Vec<u8>, policy: &'static str) -> Response {
    let mut response = file(html, "text/html; charset=utf-8", ASK_AGAIN);
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    );
    response
}

fn file(content: Vec<u8>, media_type: &'static str, caching: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
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

/// Whether the name is one plain file name. The route decodes `%2F`, so a name may well hold a slash.
fn is_plain(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !name.starts_with('.') && name.bytes().all(allowed)
}

fn media_type(name: &str) -> Option<&'static str> {
    match Path::new(name).extension()?.to_str()? {
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "ttf" => Some("font/ttf"),
        "woff2" => Some("font/woff2"),
        "txt" => Some("text/plain; charset=utf-8"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    async fn get_from(dir: &Path, path: &str) -> (StatusCode, HeaderMap, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let dir = dir.to_path_buf();
        let app = routes(Playground { dir }, true);
        let response = app.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (
            parts.status,
            parts.headers,
            String::from_utf8_lossy(&body).into_owned(),
        )
    }

    #[tokio::test]
    async fn without_a_build_the_page_says_how_to_get_one_and_runs_the_same_operations() {
        let nowhere = Path::new("no-such-folder");
        let (status, headers, body) = get_from(nowhere, "/").await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            body.contains("make playground") && body.contains("npm"),
            "{body}"
        );
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], PLAIN_POLICY);
        let (_, _, operations) = get_from(nowhere, "/assets/operations.js").await;
        for name in ["query Browse", "subscription Watch", "query TooCostly"] {
            assert!(operations.contains(name), "{name} in {operations}");
        }
    }

    #[test]
    fn a_browser_that_asks_nothing_visits_and_a_client_does_not() {
        let visits = |uri: &str, accept: &str| {
            let request = Request::get(uri).header(header::ACCEPT, accept);
            is_visit(&request.body(()).unwrap().into_parts().0)
        };
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert!(visits("/graphql", browser));
        assert!(!visits("/graphql?query={__typename}", browser));
        assert!(!visits("/graphql", "*/*"));
        assert!(!visits("/graphql", "application/json"));
    }

    #[tokio::test]
    async fn every_file_that_a_plain_page_names_is_served_and_none_is_elsewhere() {
        let nowhere = Path::new("no-such-folder");
        let mut named = Vec::new();
        for page in ["/", "/live", "/shop"] {
            let (status, _, body) = get_from(nowhere, page).await;
            assert_eq!(status, StatusCode::OK, "{page}");
            assert!(!body.contains("//"), "{page} names another address: {body}");
            named.extend(
                body.split('"')
                    .filter(|text| text.starts_with("/assets/"))
                    .map(str::to_owned),
            );
        }
        let mut next = 0;
        while next < named.len() {
            let (status, _, body) = get_from(nowhere, &named[next]).await;
            assert_eq!(status, StatusCode::OK, "{}", named[next]);
            let imported = body.split('"').filter_map(|text| text.strip_prefix("./"));
            let imported = imported.map(|name| format!("/assets/{name}"));
            let fresh: Vec<_> = imported.filter(|path| !named.contains(path)).collect();
            named.extend(fresh);
            next += 1;
        }
        assert!(named.len() > 6, "{named:?}");
    }

    /// The order of the bundle's own list is the order of the files' names.
    #[test]
    fn the_bundle_and_the_plain_page_have_the_same_operations_in_the_same_order() {
        let bundle = include_str!("../../web/src/operations.js");
        let imported: Vec<_> = bundle
            .lines()
            .filter_map(|line| line.split("./operations/").nth(1)?.strip_suffix("\";"))
            .collect();
        let mut sorted = imported.clone();
        sorted.sort_unstable();
        assert_eq!(imported, sorted);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/src/operations");
        assert_eq!(
            std::fs::read_dir(&folder).unwrap().count(),
            OPERATIONS.len()
        );
        for (name, embedded) in imported.iter().zip(OPERATIONS) {
            assert_eq!(
                std::fs::read_to_string(folder.join(name)).unwrap(),
                embedded,
                "{name}"
            );
        }
    }

    /// A folder as the build leaves it, with a file beside it that must not be served.
    fn built() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let assets = root.path().join("dist/assets");
        std::fs::create_dir_all(&assets).unwrap();
        std::fs::write(root.path().join("dist/index.html"), "built").unwrap();
        std::fs::write(assets.join("page-X.js"), "script").unwrap();
        std::fs::write(root.path().join("secret.js"), "secret").unwrap();
        root
    }

    #[tokio::test]
    async fn a_built_page_may_load_nothing_from_elsewhere() {
        let root = built();
        let dist = root.path().join("dist");
        let (status, headers, body) = get_from(&dist, "/").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "built"));
        assert!(
            !headers[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap()
                .contains("http")
        );
        let (status, headers, body) = get_from(&dist, "/assets/page-X.js").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "script"));
        assert_eq!(headers[header::CACHE_CONTROL], FOR_EVER);
    }

    #[tokio::test]
    async fn what_the_build_has_compressed_is_sent_so_to_who_asks_and_plain_to_others() {
        let root = built();
        let dist = root.path().join("dist");
        let plain = "script ".repeat(1000);
        std::fs::write(dist.join("assets/page-X.js"), &plain).unwrap();
        std::fs::write(dist.join("assets/page-X.js.gz"), "pressed").unwrap();
        std::fs::write(dist.join("assets/late-X.js"), &plain).unwrap();
        let ask = async |path: &str, accept: &str, compress| {
            let dir = dist.clone();
            let request = Request::get(path).header(header::ACCEPT_ENCODING, accept);
            let request = request.body(Body::empty()).unwrap();
            let app = routes(Playground { dir }, compress);
            let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let encoding = parts.headers.get(header::CONTENT_ENCODING).cloned();
            (parts.status, encoding, body)
        };
        let (status, encoding, body) = ask("/assets/page-X.js", "gzip, br", true).await;
        assert_eq!((status, &body[..]), (StatusCode::OK, &b"pressed"[..]));
        assert_eq!(encoding.unwrap(), "gzip");
        let (_, encoding, body) = ask("/assets/late-X.js", "gzip", true).await;
        assert_eq!(encoding.unwrap(), "gzip");
        assert!(body.len() < plain.len() / 10);
        for (accept, compress) in [("br", true), ("gzip;q=0", true), ("gzip", false)] {
            let (_, encoding, body) = ask("/assets/page-X.js", accept, compress).await;
            assert_eq!((encoding, &body[..]), (None, plain.as_bytes()), "{accept}");
        }
        let (status, _, _) = ask("/assets/page-X.js.gz", "gzip", true).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }

    /// Seen red with `is_plain` left out: the file beside the folder was served.
    #[tokio::test]
    async fn an_asset_is_never_read_from_outside_the_folder() {
        let root = built();
        for path in [
            "/assets/..%2F..%2Fsecret.js",
            "/assets/.hidden.js",
            "/assets/x.rs",
            "/assets/%00.js",
        ] {
            let (status, _, _) = get_from(&root.path().join("dist"), path).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
