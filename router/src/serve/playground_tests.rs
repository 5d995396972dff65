use super::*;
use axum::{body::Body, http::Request};
use tower::ServiceExt as _;

async fn get_from(dir: &Path, path: &str) -> (StatusCode, HeaderMap, String) {
    get_built(dir, &[], path).await
}

async fn get_built(dir: &Path, embedded: Files, path: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let dir = dir.to_path_buf();
    let config = Playground { dir };
    let app = serve(Built { config, embedded }, true);
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

/// Fails with the folder alone: started elsewhere, a release once showed the plain page.
#[tokio::test]
async fn a_binary_with_the_pages_in_it_needs_no_folder_and_prefers_one() {
    const EMBEDDED: Files = &[("index.html", b"embedded"), ("assets/page-X.js", b"script")];
    let nowhere = Path::new("no-such-folder");
    let (_, headers, body) = get_built(nowhere, EMBEDDED, "/").await;
    assert_eq!(body, "embedded");
    assert_eq!(headers[header::CONTENT_SECURITY_POLICY], BUILT_POLICY);
    let (status, headers, body) = get_built(nowhere, EMBEDDED, "/assets/page-X.js").await;
    assert_eq!((status, &*body), (StatusCode::OK, "script"));
    assert_eq!(headers[header::CACHE_CONTROL], FOR_EVER);
    let (status, _, _) = get_built(nowhere, EMBEDDED, "/assets/page-Y.js").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _, _) = get_built(nowhere, EMBEDDED, "/assets/live.js").await;
    assert_eq!(status, StatusCode::OK, "the pages that every binary has");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "built").unwrap();
    let (_, _, body) = get_built(folder.path(), EMBEDDED, "/").await;
    assert_eq!(body, "built");
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
