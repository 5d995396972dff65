//! A service that hangs or breaks is asked no more than it takes to know when it is back.

use std::time::{Duration, Instant};

use catalogue::{Config, Error, HttpClient, ProductClient as _};
use chassis::fault::Coded as _;
use schema::code::ErrorCode;
use serde_json::json;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use crate::sku;

async fn answering(server: &MockServer, answer: ResponseTemplate) {
    server.reset().await;
    Mock::given(method("GET"))
        .respond_with(answer)
        .mount(server)
        .await;
}

#[tokio::test]
async fn a_service_that_hangs_is_known_to_be_down_until_it_is_back() {
    let server = MockServer::start().await;
    let hanging = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    answering(&server, hanging).await;
    let config = Config {
        url: server.uri(),
        rate: 10_000,
        burst: 10_000,
        timeout: Duration::from_millis(200),
        ..Config::default()
    };
    let client = HttpClient::new(&config).unwrap();
    let find = |id| client.find(sku(id));
    tokio::join!(find(1), find(2), find(3)).0.unwrap_err();
    let sent = server.received_requests().await.unwrap().len();

    let began_at = Instant::now();
    for id in 1..=100 {
        let error = find(id).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Unavailable);
        assert!(error.is_outage());
    }
    // One of the hundred may have been a probe.
    let asked = server.received_requests().await.unwrap().len() - sent;
    assert!(asked <= 1, "{asked} requests in {:?}", began_at.elapsed());

    let product = json!({"sku": 7, "name": "x", "price": 1});
    answering(&server, ResponseTemplate::new(200).set_body_json(product)).await;
    let back = async || find(7).await.ok().flatten();
    testkit::eventually("the service is back", Duration::from_secs(10), back).await;
    find(7).await.unwrap().unwrap();
}

/// What says that it is busy is not down.
#[tokio::test]
async fn a_service_that_is_busy_is_asked_on() {
    let server = MockServer::start().await;
    answering(&server, ResponseTemplate::new(429)).await;
    let config = Config {
        url: server.uri(),
        rate: 10_000,
        burst: 10_000,
        retries: 0,
        ..Config::default()
    };
    let client = HttpClient::new(&config).unwrap();
    for _ in 0..10 {
        let error = client.find(sku(7)).await.unwrap_err();
        assert!(matches!(error, Error::Throttled { .. }), "{error:?}");
    }
}
