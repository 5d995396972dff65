//! Faults on demand, as a caller meets them. Source: docs/contracts.md §2.

use std::time::{Duration, Instant};

use product_service::Faults;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::Running;

const PRODUCT: &str = "/product/2956315";
const KEY: Option<&str> = Some("testToken");

/// A service that answers rightly until it is told otherwise.
async fn switchable() -> Running {
    Running::start_with(Faults {
        enabled: true,
        ..Faults::default()
    })
    .await
}

impl Running {
    async fn put_faults(&self, faults: Value) -> (StatusCode, Value) {
        let request = self.client.put(format!("{}/faults", self.root));
        let answer = request
            .header("X-API-KEY", "testToken")
            .json(&faults)
            .send();
        let answer = answer.await.expect("the service answers");
        (answer.status(), answer.json().await.unwrap_or(Value::Null))
    }

    async fn statuses(&self, requests: usize) -> Vec<u16> {
        let mut statuses = Vec::new();
        for _ in 0..requests {
            statuses.push(self.get(PRODUCT, KEY).await.0.as_u16());
        }
        statuses
    }
}

#[tokio::test]
async fn a_service_that_was_started_without_faults_has_no_switch() {
    let service = Running::start().await;
    let (status, _) = service
        .put_faults(json!({"enabled": true, "status_500_every": 1}))
        .await;
    assert_eq!(status, 404);
    assert_eq!(service.statuses(2).await, [200, 200]);
    service.stop().await;
}

/// Seen red with the count kept over a change of the faults.
#[tokio::test]
async fn an_outage_is_switched_on_and_off_while_the_service_runs() {
    let service = switchable().await;
    assert_eq!(service.statuses(1).await, [200]);
    let outage = json!({"enabled": true, "status_500_every": 1});
    assert_eq!(service.put_faults(outage).await.0, 200);
    let (status, body) = service.get(PRODUCT, KEY).await;
    assert_eq!((status.as_u16(), &body["code"]), (500, &json!(500)));
    assert_eq!(service.get("/product", KEY).await.0, 500);
    let (_, shown) = service.get("/faults", KEY).await;
    assert_eq!(shown["requests"], 2);
    assert_eq!(shown["faults"]["status_500_every"], 1);
    service.put_faults(json!({"enabled": false})).await;
    assert_eq!(service.statuses(2).await, [200, 200]);
    let some = json!({"enabled": true, "status_429_every": 2, "status_420_every": 3, "first": 4});
    service.put_faults(some).await;
    assert_eq!(
        service.statuses(6).await,
        [200, 429, 420, 429, 200, 200],
        "each by its number, and only the first four"
    );
    service.stop().await;
}

#[tokio::test]
async fn the_switch_wants_the_key_and_known_faults() {
    let service = switchable().await;
    assert_eq!(service.get("/faults", None).await.0, 401);
    for bad in [
        json!({"status_501_every": 1}),
        json!({"latency": 5}),
        json!("on"),
    ] {
        let (status, body) = service.put_faults(bad.clone()).await;
        assert_eq!(
            (status.as_u16(), &body["code"]),
            (422, &json!(601)),
            "{bad}"
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn latency_holds_a_right_answer_back() {
    let service = Running::start_with(Faults {
        enabled: true,
        latency: Duration::from_millis(80),
        ..Faults::default()
    })
    .await;
    let asked = Instant::now();
    assert_eq!(service.statuses(1).await, [200]);
    assert!(asked.elapsed() >= Duration::from_millis(80));
    service.stop().await;
}

#[tokio::test]
async fn bodies_break_off_or_do_not_end() {
    let service = switchable().await;
    let ask = async || {
        let request = service.client.get(format!("{}{PRODUCT}", service.root));
        let answer = request.header("X-API-KEY", "testToken").send().await;
        let answer = answer.expect("the service answers");
        (answer.status().as_u16(), answer.bytes().await.unwrap())
    };
    service
        .put_faults(json!({"enabled": true, "malformed_every": 1}))
        .await;
    let (status, body) = ask().await;
    assert_eq!(status, 200);
    serde_json::from_slice::<Value>(&body).expect_err("it breaks off");
    service
        .put_faults(json!({"enabled": true, "huge_every": 1}))
        .await;
    let (status, body) = ask().await;
    assert_eq!(status, 200);
    assert!(body.len() > 16 * 1024 * 1024, "{}", body.len());
    serde_json::from_slice::<Value>(&body).expect("only its size is wrong");
    service.stop().await;
}

/// Seen red with a hang that knows nothing of the shutdown.
#[tokio::test]
async fn a_request_that_hangs_ends_with_the_service_and_not_before() {
    let service = Running::start_with(Faults {
        enabled: true,
        hang_every: 1,
        ..Faults::default()
    })
    .await;
    let mut asking = Box::pin(service.get(PRODUCT, KEY));
    let short = tokio::time::timeout(Duration::from_millis(100), &mut asking).await;
    short.expect_err("no answer comes");
    let asked = Instant::now();
    let limit = Duration::from_secs(5);
    let answer = tokio::time::timeout(limit, asking);
    let (answer, left) = tokio::join!(answer, service.tasks.shutdown(limit));
    assert_eq!(answer.expect("the hanging ends").0, 503);
    assert!(left.is_empty() && asked.elapsed() < Duration::from_secs(3));
}
