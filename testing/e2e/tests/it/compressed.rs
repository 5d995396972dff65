//! What goes over the wire: in gzip to who asks for it, the same as what others get, and little of it.

use std::collections::BTreeSet;
use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, VARY};
use serde_json::json;

use crate::browser::Browser;
use crate::shop::{Arrangement, Shop};

/// A body below this is sent as it is. Source: `chassis::compress::LEAST_BYTES`.
const LEAST: usize = 1024;

/// What one address answers to a client that takes this coding.
async fn get(shop: &Shop, url: &str, coding: &'static str) -> (HeaderMap, Vec<u8>) {
    let request = shop.http().get(url).header(ACCEPT_ENCODING, coding);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{url}");
    let headers = response.headers().clone();
    (headers, response.bytes().await.unwrap().to_vec())
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut plain).unwrap();
    plain
}

/// Compares both; how many bytes went over the wire in gzip.
fn compare(what: &str, gzip: (HeaderMap, Vec<u8>), plain: &(HeaderMap, Vec<u8>)) -> usize {
    let (headers, packed) = gzip;
    let size = packed.len();
    let varies = |headers: &HeaderMap| {
        let mut values = headers.get_all(VARY).iter();
        values.any(|value| {
            value
                .to_str()
                .unwrap_or_default()
                .to_ascii_lowercase()
                .contains("accept-encoding")
        })
    };
    let coding = headers.get(CONTENT_ENCODING).map(|it| it.as_bytes());
    assert!(plain.0.get(CONTENT_ENCODING).is_none(), "{what}");
    if coding.is_none() {
        assert!(plain.1.len() < LEAST, "{what}: it is not compressed");
        assert_eq!(packed, plain.1, "{what}");
        return size;
    }
    assert_eq!(coding, Some(&b"gzip"[..]), "{what}");
    assert!(varies(&headers), "{what}: a cache would mix them up");
    assert!(plain.1.len() < LEAST || varies(&plain.0), "{what}");
    assert!(size < plain.1.len(), "{what}");
    assert_eq!(unpacked(&packed), plain.1, "{what}");
    size
}

/// The addresses of a page's files: those that it names, and those that these name.
async fn files(shop: &Shop, page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::from([page.to_owned()]);
    let mut next = vec![page.to_owned()];
    while let Some(url) = next.pop() {
        let response = shop.http().get(&url).send().await.unwrap();
        if response.status() != 200 {
            // A minified script has words that only look like names of files.
            found.remove(&url);
            continue;
        }
        let text = response.text().await.unwrap();
        let base = reqwest::Url::parse(&url).unwrap();
        let named = text.split(['"', '\'', '(', ')']).filter(|word| {
            let is_file = [".js", ".css", ".ttf"]
                .iter()
                .any(|end| word.ends_with(end));
            is_file && (word.starts_with('/') || word.starts_with("./"))
        });
        let named = named
            .filter_map(|word| base.join(word).ok())
            .map(String::from);
        next.extend(named.filter(|url| found.insert(url.clone())));
    }
    found
}

#[tokio::test]
async fn every_page_and_answer_is_the_same_in_gzip_and_says_that_it_varies() {
    let shop = Shop::shared().await;
    let (router, console) = (shop.url(4000), shop.url(4005));
    let pages = [
        format!("{router}/"),
        format!("{router}/live"),
        format!("{router}/shop"),
        format!("{console}/ops"),
    ];
    for page in pages {
        let files = files(shop, &page).await;
        assert!(files.len() > 3, "{page}: {files:?}");
        let mut wire = 0;
        for url in &files {
            let plain = get(shop, url, "identity").await;
            // Brotli is not served: who prefers it gets gzip.
            wire += compare(url, get(shop, url, "br, gzip").await, &plain);
            assert_eq!(get(shop, url, "br").await.1, plain.1, "{url}");
        }
        // The playground loads only some of its files at first, so a browser counts them below.
        let is_playground = page == format!("{router}/");
        assert!(is_playground || wire <= 150_000, "{page}: {wire} bytes");
    }
}

#[tokio::test]
async fn a_long_answer_of_the_graph_is_the_same_in_gzip() {
    let shop = Shop::shared().await;
    let token = shop.token(1, false).await;
    let query = json!({"query": "{ products(first: 50) { nodes { sku name price { amount currency } } } }"});
    let ask = async |coding: &'static str| {
        let request = shop.http().post(format!("{}/graphql", shop.url(4000)));
        let request = request.bearer_auth(&token).header(ACCEPT_ENCODING, coding);
        let response = request.json(&query).send().await.unwrap();
        (
            response.headers().clone(),
            response.bytes().await.unwrap().to_vec(),
        )
    };
    let plain = ask("identity").await;
    assert!(plain.1.len() > LEAST, "{}", plain.1.len());
    compare("products", ask("gzip").await, &plain);
}

/// As a browser counts it, with an empty cache: the page, its scripts, its workers and what it asks the graph.
#[tokio::test]
async fn a_first_visit_is_short_over_a_slow_line() {
    let (shop, browser) = tokio::join!(Shop::start(Arrangement::Together), Browser::start());
    let (router, console) = (shop.url(4000), shop.url(4005));
    for (page, drawn, most) in [
        (format!("{console}/ops"), "#services tbody tr", 150_000.0),
        (format!("{router}/shop"), ".card", 150_000.0),
        (
            format!("{router}/live"),
            "#state[data-state='live']",
            150_000.0,
        ),
        (
            format!("{router}/"),
            ".graphiql-query-editor .view-line",
            2_000_000.0,
        ),
    ] {
        browser.open(&page).await;
        browser.find(drawn).await;
        let sum = "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')] \
            .reduce((sum, {transferSize}) => sum + transferSize, 0)";
        let sum = browser.script(sum).await.as_f64().expect("a number");
        assert!(sum > 5_000.0 && sum <= most, "{page}: {sum} bytes");
    }
    browser.stop().await;
    shop.stop().await;
}
