//! The playground: GraphiQL at `/`, with its scripts and styles under `/assets`.
//!
//! The page is built from npm into a folder (`make playground`) and read from there while the router runs. Where it
//! was not built, a page that says so, and how to build it, loads GraphiQL from a CDN. Invariant: the built page loads
//! nothing from elsewhere; its content security policy forbids it.

use std::path::{Path, PathBuf};

use axum::{
    Router,
    extract::{Path as UrlPath, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};

const BUILT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    font-src 'self' data:; img-src 'self' data:; connect-src 'self'; worker-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const CDN_POLICY: &str = "default-src 'none'; script-src 'self' https://unpkg.com; \
    style-src 'self' https://unpkg.com 'unsafe-inline'; font-src 'self' data: https://unpkg.com; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// File names of the bundle hold a digest of the content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

/// Where the built playground lies.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlaygroundConfig {
    /// The folder that `make playground` fills, relative to the working directory.
    pub dir: PathBuf,
}

impl Default for PlaygroundConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("router/web/dist"),
        }
    }
}

/// Serves the page at `/` and its files under `/assets`.
pub fn routes(config: PlaygroundConfig) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/assets/{name}", get(asset))
        .with_state(config)
}

/// Looks for the built page at every request, so building it needs no restart.
async fn page(State(config): State<PlaygroundConfig>) -> Response {
    match tokio::fs::read(config.dir.join("index.html")).await {
        Ok(html) => html_page(html, BUILT_POLICY),
        Err(_) => html_page(
            include_bytes!("../../web/fallback/index.html").to_vec(),
            CDN_POLICY,
        ),
    }
}

async fn asset(State(config): State<PlaygroundConfig>, UrlPath(name): UrlPath<String>) -> Response {
    let Some(media_type) = media_type(&name).filter(|_| is_plain(&name)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match tokio::fs::read(config.dir.join("assets").join(&name)).await {
        Ok(content) => file(content, media_type, FOR_EVER),
        Err(_) => fallback_asset(&name).map_or_else(
            || StatusCode::NOT_FOUND.into_response(),
            |content| file(content.as_bytes().to_vec(), media_type, ASK_AGAIN),
        ),
    }
}

/// What the fallback page needs from the router itself.
fn fallback_asset(name: &str) -> Option<&'static str> {
    match name {
        "fallback.js" => Some(include_str!("../../web/fallback/fallback.js")),
        "fallback.css" => Some(include_str!("../../web/fallback/fallback.css")),
        "examples.js" => Some(include_str!("../../web/src/examples.js")),
        "sse.js" => Some(include_str!("../../web/src/sse.js")),
        _ => None,
    }
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
        let app = routes(PlaygroundConfig {
            dir: dir.to_path_buf(),
        });
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
    async fn without_a_build_the_page_says_how_to_get_one() {
        let nowhere = Path::new("no-such-folder");
        let (status, headers, body) = get_from(nowhere, "/").await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            body.contains("make playground") && body.contains("npm"),
            "{body}"
        );
        assert!(
            headers[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap()
                .contains("unpkg.com")
        );
        for name in ["fallback.js", "fallback.css", "examples.js", "sse.js"] {
            assert!(
                body.contains(name) || fallback_asset("fallback.js").unwrap().contains(name),
                "{name} is used"
            );
            assert_eq!(
                get_from(nowhere, &format!("/assets/{name}")).await.0,
                StatusCode::OK,
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
