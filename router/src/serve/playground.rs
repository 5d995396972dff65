//! The pages that the router serves: the playground at `/`, the live page at `/live`, the shop at `/shop`, their files under
//! `/assets`.
//!
//! The playground is GraphiQL, built from npm into a folder (`make playground`) and read from there while the router
//! runs. A release has what was built in its binary, for where there is no such folder. Where it was not built, a plain page
//! has the same operations and explains how to build it. The plain page, the live page and the shop are in every binary. Invariant: no page loads anything from elsewhere; their content security
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

/// Files of the built playground, by their paths in its folder.
type Files = &'static [(&'static str, &'static [u8])];

/// What `build.rs` has put into this binary: nothing in a debug build.
const EMBEDDED: Files = include!(concat!(env!("OUT_DIR"), "/playground.rs"));

/// Where the built playground is.
#[derive(Debug, Clone)]
struct Built {
    /// The folder, which is looked at first.
    config: Playground,
    embedded: Files,
}

impl Built {
    /// A file of it; nothing where it was not built.
    async fn read(&self, path: &str) -> Option<Vec<u8>> {
        if let Ok(content) = tokio::fs::read(self.config.dir.join(path)).await {
            return Some(content);
        }
        let (_, content) = self.embedded.iter().find(|(known, _)| *known == path)?;
        Some(content.to_vec())
    }
}

/// Serves the pages at `/`, `/live` and `/shop` and their files under `/assets`.
pub(super) fn routes(config: Playground, compress: bool) -> Router {
    let embedded = EMBEDDED;
    serve(Built { config, embedded }, compress)
}

fn serve(built: Built, compress: bool) -> Router {
    let routes = Router::new()
        .route("/", get(page))
        .route("/live", get(live))
        .route("/shop", get(shop))
        .route("/assets/{name}", get(asset))
        .with_state(built);
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
async fn page(State(built): State<Built>) -> Response {
    match built.read("index.html").await {
        Some(html) => html_page(html, BUILT_POLICY),
        None => html_page(PLAIN_PAGE.into(), PLAIN_POLICY),
    }
}

async fn live() -> Response {
    html_page(LIVE_PAGE.into(), PLAIN_POLICY)
}

async fn shop() -> Response {
    html_page(SHOP_PAGE.into(), PLAIN_POLICY)
}

async fn asset(
    State(built): State<Built>,
    UrlPath(name): UrlPath<String>,
    coding: Option<Extension<Coding>>,
) -> Response {
    let Some(media_type) = media_type(&name).filter(|_| is_plain(&name)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // The build has compressed it better than there is time for here.
    if let Some(Extension(Coding::Gzip)) = coding
        && let Some(content) = built.read(&format!("assets/{name}.gz")).await
    {
        let mut response = file(content, media_type, FOR_EVER);
        compress::mark_as_gzip(response.headers_mut());
        return response;
    }
    match built.read(&format!("assets/{name}")).await {
        Some(content) => file(content, media_type, FOR_EVER),
        None => own_asset(&name).map_or_else(
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
#[path = "playground_tests.rs"]
mod tests;
