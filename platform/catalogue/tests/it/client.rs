//! The rules for asking the product service. Source: docs/contracts.md §2, "Client rules for cart".

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use catalogue::{
    CachedClient, Config, Error, HttpClient, Product, ProductClient, Products, RateLimit,
};
use chassis::{fault::Coded, health::Health, tasks::Tasks};
use schema::{code::ErrorCode, id::Sku};
use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, method, path, path_regex},
};

use crate::sku;

/// A client with a rate that tests do not feel.
fn settings(url: String) -> Config {
    Config {
        url,
        rate: 10_000,
        burst: 10_000,
        ..Config::default()
    }
}

fn client(server: &MockServer) -> HttpClient {
    HttpClient::new(&settings(server.uri())).expect("the settings are right")
}

fn one_product() -> ResponseTemplate {
    ResponseTemplate::new(200)
        .set_body_json(json!({"sku": 7, "name": "Чай | \"7\"\n", "price": 42}))
}

/// Answers each status once, in this order, then the product.
async fn answers(statuses: &[u16]) -> MockServer {
    let server = MockServer::start().await;
    for (place, status) in (1_u8..).zip(statuses) {
        let answer =
            ResponseTemplate::new(*status).set_body_json(json!({"code": 1, "message": "x"}));
        let once = Mock::given(method("GET"))
            .respond_with(answer)
            .up_to_n_times(1);
        once.with_priority(place).mount(&server).await;
    }
    let last = Mock::given(path("/product/7")).and(header("X-API-KEY", "testToken"));
    last.respond_with(one_product())
        .with_priority(100)
        .mount(&server)
        .await;
    server
}

async fn requests(server: &MockServer) -> usize {
    server
        .received_requests()
        .await
        .expect("recording is on")
        .len()
}

#[tokio::test]
async fn slow_down_is_tried_again_three_times() {
    let server = answers(&[429, 420, 429]).await;
    let product = client(&server).find(sku(7)).await.unwrap().unwrap();
    assert_eq!((&*product.name, product.price), ("Чай | \"7\"\n", 42));
    assert_eq!(requests(&server).await, 4);
}

/// Seen red with one retry more.
#[tokio::test]
async fn a_fourth_slow_down_is_the_answer() {
    let server = answers(&[429, 429, 420, 429]).await;
    let error = client(&server).find(sku(7)).await.unwrap_err();
    assert!(matches!(error, Error::Throttled { tries: 4 }), "{error:?}");
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert_eq!(requests(&server).await, 4);
}

/// Seen red with 500 among the statuses that are retried.
#[tokio::test]
async fn nothing_else_is_tried_again() {
    let faults = [
        (500, ErrorCode::Unavailable),
        (503, ErrorCode::Unavailable),
        (401, ErrorCode::Internal),
        (422, ErrorCode::Internal),
        (302, ErrorCode::Internal),
    ];
    for (status, code) in faults {
        let server = answers(&[status]).await;
        assert_eq!(
            client(&server).find(sku(7)).await.unwrap_err().code(),
            code,
            "{status}"
        );
        assert_eq!(requests(&server).await, 1, "{status}");
    }
    let server = answers(&[404]).await;
    assert_eq!(client(&server).find(sku(7)).await.unwrap(), None);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unreachable_at_once() {
    let config = settings("http://127.0.0.1:1".to_owned());
    let error = HttpClient::new(&config)
        .unwrap()
        .find(sku(7))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn answers_that_break_the_contract_are_malformed() {
    let long = format!(r#"{{"sku":7,"price":1,"name":"{}"}}"#, "x".repeat(70_000));
    let bodies = [
        "",
        "[]",
        r#"{"sku":7,"name":"no price"}"#,
        r#"{"sku":7,"name":"x","price":-1}"#,
        r#"{"sku":7,"name":"x","price":4294967296}"#,
        r#"{"sku":8,"name":"another","price":1}"#,
        r#"{"sku":0,"name":"x","price":1}"#,
        &long,
    ];
    for body in bodies {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(200).set_body_string(body);
        Mock::given(method("GET"))
            .respond_with(answer)
            .mount(&server)
            .await;
        let error = client(&server).find(sku(7)).await.unwrap_err();
        assert!(
            matches!(error, Error::Malformed { .. }),
            "{error:?} for {body:.60}"
        );
    }
}

#[tokio::test]
async fn a_404_that_is_not_the_services_own_is_no_absence() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(404).set_body_string("nginx");
    Mock::given(method("GET"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let error = client(&server).find(sku(7)).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
}

#[tokio::test]
async fn a_look_up_ends_at_its_deadline() {
    let server = MockServer::start().await;
    let slow = one_product().set_delay(Duration::from_secs(30));
    Mock::given(method("GET"))
        .respond_with(slow)
        .mount(&server)
        .await;
    let limit = Duration::from_millis(100);
    let config = Config {
        deadline: limit,
        ..settings(server.uri())
    };
    let error = HttpClient::new(&config)
        .unwrap()
        .find(sku(7))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TookTooLong { .. }), "{error:?}");
}

/// Seen red with the wait for a turn taken out.
#[tokio::test]
async fn look_ups_over_the_rate_wait_and_none_is_refused() {
    let server = MockServer::start().await;
    let any = Mock::given(path_regex("^/product/[0-9]+$"));
    any.respond_with(ResponseTemplate::new(404).set_body_json(json!({"code": 1, "message": "x"})))
        .mount(&server)
        .await;
    let config = Config {
        rate: 50,
        burst: 5,
        ..settings(server.uri())
    };
    let products = Products::new(Arc::new(HttpClient::new(&config).unwrap()));
    let skus: Vec<Sku> = (1..=25).map(sku).collect();
    let started = Instant::now();
    assert_eq!(products.find_many(&skus).await.unwrap().len(), 25);
    // 5 leave at once, 20 more at 50 a second.
    assert!(
        started.elapsed() >= Duration::from_millis(380),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_look_up_that_is_dropped_gives_up_its_place() {
    let rate = RateLimit::new(5, 1);
    rate.turn().await;
    let started = Instant::now();
    let queue = futures::future::join_all((0..10).map(|_| rate.turn()));
    tokio::time::timeout(Duration::from_millis(50), queue)
        .await
        .unwrap_err();
    rate.turn().await;
    assert!(
        started.elapsed() < Duration::from_millis(600),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn look_ups_of_one_sku_share_a_request_and_its_answer() {
    let server = MockServer::start().await;
    let slow = one_product().set_delay(Duration::from_millis(50));
    Mock::given(method("GET"))
        .respond_with(slow)
        .mount(&server)
        .await;
    let config = settings(server.uri());
    let cached = CachedClient::new(HttpClient::new(&config).unwrap(), &config);
    let all = futures::future::join_all((0..20).map(|_| cached.find(sku(7)))).await;
    assert!(all.iter().all(|found| matches!(found, Ok(Some(_)))));
    cached.find(sku(7)).await.unwrap();
    assert_eq!(requests(&server).await, 1);
}

#[tokio::test]
async fn a_failure_is_not_remembered_and_an_absence_only_for_its_time() {
    let server = answers(&[500, 404]).await;
    let config = Config {
        cache_missing_ttl: Duration::from_millis(1),
        ..settings(server.uri())
    };
    let cached = CachedClient::new(HttpClient::new(&config).unwrap(), &config);
    cached.find(sku(7)).await.unwrap_err();
    assert_eq!(cached.find(sku(7)).await.unwrap(), None);
    let appears = async || cached.find(sku(7)).await.ok().flatten();
    testkit::eventually("the product appears", Duration::from_secs(5), appears).await;
}

/// The first error cancels the other look-ups of the same call.
#[tokio::test]
async fn the_first_error_cancels_the_rest() {
    #[derive(Debug, Default)]
    struct OneFails(AtomicUsize);
    struct Under<'a>(&'a AtomicUsize);
    impl Drop for Under<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    #[async_trait::async_trait]
    impl ProductClient for OneFails {
        async fn find(&self, id: Sku) -> Result<Option<Product>, Error> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let _under = Under(&self.0);
            if id == sku(3) {
                return Err(Error::Status { status: 500 });
            }
            std::future::pending().await
        }
        async fn list(&self, _: Option<Sku>, _: u32) -> Result<Arc<[Product]>, Error> {
            std::future::pending().await
        }
    }
    let client = Arc::new(OneFails::default());
    let skus: Vec<Sku> = (1..=5).map(sku).collect();
    Products::new(client.clone())
        .find_many(&skus)
        .await
        .unwrap_err();
    assert_eq!(
        client.0.load(Ordering::SeqCst),
        0,
        "none is under way any more"
    );
}

#[tokio::test]
async fn the_real_product_service_is_understood() {
    let tasks = Tasks::default();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = product_service::Config {
        listen,
        ..product_service::Config::default()
    };
    let service = product_service::Service::start(config, &tasks, &Health::default())
        .await
        .unwrap();
    let config = settings(format!("http://{}", service.address()));
    let client = HttpClient::new(&config).unwrap();
    assert_eq!(
        client.find(sku(1_076_963)).await.unwrap().unwrap().price,
        3379
    );
    assert_eq!(client.find(sku(i64::MAX)).await.unwrap(), None);
    let mut after = None;
    let mut listed = 0;
    loop {
        let page = client.list(after, 10).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.sku);
        listed += page.len();
    }
    assert_eq!(listed, 68);
    tasks.shutdown(Duration::from_secs(5)).await;
}
