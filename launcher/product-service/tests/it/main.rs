//! The product service over real HTTP. Source: docs/contracts.md §2.

mod faults;

use std::{net::SocketAddr, time::Duration};

use chassis::{health::Health, tasks::Tasks};
use product_service::{Config, Faults, Service, api::Document};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use utoipa::OpenApi;

struct Running {
    client: Client,
    root: String,
    tasks: Tasks,
}

impl Running {
    async fn start() -> Self {
        Self::start_with(Faults::default()).await
    }

    async fn start_with(faults: Faults) -> Self {
        chassis::tls::install();
        let tasks = Tasks::default();
        let config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            faults,
            ..Config::default()
        };
        let started = Service::start(config, &tasks, &Health::default()).await;
        let service = started.expect("port 0 is free");
        Self {
            client: Client::new(),
            root: format!("http://{}", service.address()),
            tasks,
        }
    }

    async fn get(&self, path: &str, key: Option<&str>) -> (StatusCode, Value) {
        let mut request = self.client.get(format!("{}{path}", self.root));
        if let Some(key) = key {
            request = request.header("X-API-KEY", key);
        }
        let answer = request.send().await.expect("the service answers");
        (answer.status(), answer.json().await.unwrap_or(Value::Null))
    }

    async fn check(&self, path: &str, status: u16, body: Value) {
        let (answered, answer) = self.get(path, Some("testToken")).await;
        assert_eq!((answered.as_u16(), answer), (status, body), "{path}");
    }

    async fn stop(self) {
        assert!(
            self.tasks.shutdown(Duration::from_secs(5)).await.is_empty(),
            "the server stops"
        );
    }
}

#[tokio::test]
async fn a_product_is_three_fields_and_absence_is_code_1() {
    let service = Running::start().await;
    service
        .check(
            "/product/2956315",
            200,
            json!({"sku": 2_956_315, "name": "Eloy. Time To Turn", "price": 3130}),
        )
        .await;
    service
        .check(
            "/product/1076963000",
            404,
            json!({"code": 1, "message": "product not found"}),
        )
        .await;
    service
        .check(
            "/product/9223372036854775807",
            404,
            json!({"code": 1, "message": "product not found"}),
        )
        .await;
    service.stop().await;
}

#[tokio::test]
async fn arguments_out_of_their_bounds_are_422() {
    let service = Running::start().await;
    for path in [
        "/product/0",
        "/product/-1",
        "/product/abc",
        "/product/9223372036854775808",
        "/product?count=0",
        "/product?count=1001",
        "/product?count=x",
        "/product?start_after_sku=-1",
    ] {
        let (status, body) = service.get(path, Some("testToken")).await;
        assert_eq!(status, 422, "{path}: {body}");
        assert!(
            body["code"].as_u64() >= Some(600) && body["message"].is_string(),
            "{path}: {body}"
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn only_the_right_key_opens_the_catalogue() {
    let service = Running::start().await;
    for path in ["/product/2956315", "/product", "/product/0"] {
        for key in [None, Some("wrong"), Some("")] {
            let (status, body) = service.get(path, key).await;
            assert_eq!(
                (status.as_u16(), &body["code"]),
                (401, &json!(401)),
                "{path} with {key:?}"
            );
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn pages_follow_a_known_sku_and_an_unknown_one_gives_nothing() {
    let service = Running::start().await;
    let (_, all) = service.get("/product", Some("testToken")).await;
    let all = all.as_array().unwrap().clone();
    assert_eq!(all.len(), 68);
    let after = format!("/product?count=2&start_after_sku={}", all[4]["sku"]);
    service.check(&after, 200, json!([all[5], all[6]])).await;
    service
        .check("/product?start_after_sku=12345", 200, json!([]))
        .await;
    service.stop().await;
}

#[tokio::test]
async fn translations_are_for_those_who_ask() {
    let service = Running::start().await;
    let name = "Теория нравственных чувств | Смит Адам";
    let bare = json!({"sku": 1_076_963, "name": name, "price": 3379});
    let mut translated = bare.clone();
    translated["translations"] = json!({"en": "The Theory of Moral Sentiments | Adam Smith"});
    for arguments in ["", "?translations=false", "?translations=1"] {
        let path = format!("/product/1076963{arguments}");
        service.check(&path, 200, bare.clone()).await;
    }
    let path = "/product/1076963?translations=true";
    service.check(path, 200, translated.clone()).await;
    service.check("/product?count=1", 200, json!([bare])).await;
    let path = "/product?count=1&translations=true";
    service.check(path, 200, json!([translated])).await;
    service.stop().await;
}

/// Every operation of the document answers, and what is not in it does not.
#[tokio::test]
async fn the_document_lists_what_is_served() {
    let service = Running::start().await;
    let (status, served) = service.get("/swagger.json", None).await;
    assert_eq!(status, 200);
    assert_eq!(served, serde_json::to_value(Document::openapi()).unwrap());
    let paths: Vec<&String> = served["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        ["/product", "/product/{sku}"],
        "a new route is documented and listed here"
    );
    for path in paths {
        let (status, _) = service
            .get(&path.replace("{sku}", "2956315"), Some("testToken"))
            .await;
        assert_eq!(status, 200, "{path}");
    }
    service
        .check(
            "/nothing",
            404,
            json!({"code": 404, "message": "path /nothing was not found"}),
        )
        .await;
    let posted = service
        .client
        .post(format!("{}/product", service.root))
        .send()
        .await
        .unwrap();
    assert_eq!(posted.status(), 405);
    service.stop().await;
}

#[tokio::test]
async fn swagger_ui_is_served_without_the_network() {
    let service = Running::start().await;
    let page = service
        .client
        .get(format!("{}/docs/", service.root))
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("swagger-ui"));
    for asset in [
        "swagger-ui-bundle.js",
        "swagger-ui.css",
        "swagger-initializer.js",
    ] {
        let answer = service
            .client
            .get(format!("{}/docs/{asset}", service.root))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{asset}");
    }
    service.stop().await;
}
