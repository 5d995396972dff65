//! Many SKUs at once: the service's list instead of a request each. Source: docs/contracts.md §2.

use std::sync::Arc;

use catalogue::{CachedClient, Config, HttpClient, Products, Search};
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{method, path},
};

use crate::sku;

/// A catalogue of the even SKUs up to `last`; its list is as the real service's.
async fn evens(last: i64) -> MockServer {
    let server = MockServer::start().await;
    let product = |sku: i64| json!({"sku": sku, "name": format!("product {sku}"), "price": sku});
    let list = move |request: &Request| {
        let number = |name: &str| {
            let value = request.url.query_pairs().find(|(key, _)| key == name);
            value.map_or(0, |(_, value)| value.parse::<i64>().unwrap())
        };
        let (count, after) = (number("count"), number("start_after_sku"));
        let skus = (1..=last / 2)
            .map(|half| half * 2)
            .filter(|sku| *sku > after);
        let rows: Vec<Value> = skus
            .take(usize::try_from(count).unwrap())
            .map(product)
            .collect();
        ResponseTemplate::new(200).set_body_json(rows)
    };
    Mock::given(method("GET"))
        .and(path("/product"))
        .respond_with(list)
        .mount(&server)
        .await;
    let one = move |request: &Request| {
        let sku: i64 = request
            .url
            .path()
            .rsplit('/')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        if sku % 2 == 0 && sku <= last {
            ResponseTemplate::new(200).set_body_json(product(sku))
        } else {
            ResponseTemplate::new(404).set_body_json(json!({"code": 1, "message": "x"}))
        }
    };
    Mock::given(method("GET"))
        .respond_with(one)
        .mount(&server)
        .await;
    server
}

fn products(server: &MockServer) -> Products {
    let config = Config {
        url: server.uri(),
        ..Config::default()
    };
    let http = HttpClient::new(&config).unwrap();
    Products::new(Arc::new(CachedClient::new(http, &config)))
}

/// At ten requests a second, 1,000 look-ups would take over a minute and a half.
#[tokio::test]
async fn a_thousand_unknown_skus_cost_a_few_requests() {
    let server = evens(3_000).await;
    let products = products(&server);
    let skus: Vec<_> = (2_001..=3_001).map(sku).collect();
    for _ in 0..2 {
        let found = products.find_many(&skus).await.unwrap();
        assert_eq!(found.len(), skus.len());
        for (sku, product) in found {
            let price = product.map(|product| i64::from(product.price));
            let id = sku.get();
            let expected = (id % 2 == 0 && id <= 3_000).then_some(id);
            assert_eq!(price, expected, "sku {id}");
        }
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_few_unknown_skus_are_looked_up_one_by_one() {
    let server = evens(3_000).await;
    let products = products(&server);
    let skus: Vec<_> = (1..=5).map(sku).collect();
    products.find_many(&skus).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let singles = requests.iter().filter(|one| one.url.path() != "/product");
    assert_eq!((singles.count(), requests.len()), (5, 5));
}

/// 3,000 even SKUs: three full pages and an empty one, read once.
#[tokio::test]
async fn a_search_reads_every_page_once() {
    let server = evens(6_000).await;
    let products = products(&server);
    let search = Search::new("PRODUCT 59").unwrap();
    for _ in 0..2 {
        let found = products.search(&search).await.unwrap();
        let skus: Vec<i64> = found.iter().map(|product| product.sku.get()).collect();
        let expected = |sku: &i64| sku % 2 == 0 && sku.to_string().contains("59");
        assert_eq!(skus, (1..=6_000).filter(expected).collect::<Vec<_>>());
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 4);
}
