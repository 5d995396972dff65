//! The webhook's receiver gets each event, signed, in version order for each order; it holds nobody up.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chassis::clock::Clock;
use hmac::{Hmac, Mac as _};
use notifier::{DeadLetters, Replayed, webhook};
use serde_json::Value;
use sha2::Sha256;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

use crate::replica::{LIMIT, Replica, Stage, change};

const KEY: &[u8] = b"a key of thirty-two bytes, tests";

/// A stage whose replicas post to a receiver at `url`.
async fn stage(url: &str) -> Stage {
    chassis::tls::install();
    let mut stage = Stage::new().await;
    stage.webhook = webhook::Config {
        url: url.to_owned(),
        secret: format!("whsec_{}", STANDARD.encode(KEY)).into(),
        timeout: Duration::from_secs(1),
        backoff_min: Duration::from_millis(20),
        backoff_max: Duration::from_millis(100),
        ..webhook::Config::default()
    };
    stage
}

async fn answers(receiver: &MockServer, status: u16) {
    receiver.reset().await;
    let answer = ResponseTemplate::new(status).insert_header("location", "/elsewhere");
    Mock::given(any())
        .respond_with(answer)
        .mount(receiver)
        .await;
}

/// The requests so far, once they are at least `count`.
async fn requests(receiver: &MockServer, count: usize) -> Vec<Request> {
    testkit::eventually("the receiver was asked", LIMIT, async || {
        let requests = receiver.received_requests().await.unwrap();
        (requests.len() >= count).then_some(requests)
    })
    .await
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).unwrap().to_str().unwrap()
}

/// As docs/webhooks.md tells a receiver to.
fn is_signed(request: &Request) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    for part in [
        header(request, "webhook-id"),
        ".",
        header(request, "webhook-timestamp"),
        ".",
    ] {
        mac.update(part.as_bytes());
    }
    mac.update(&request.body);
    let signature = header(request, "webhook-signature")
        .strip_prefix("v1,")
        .unwrap();
    mac.verify_slice(&STANDARD.decode(signature).unwrap())
        .is_ok()
}

async fn until_empty(stage: &Stage, replica: Replica) {
    stage.until_count("webhook_queue", 0).await;
    replica.stop().await;
}

#[tokio::test]
async fn an_event_is_posted_signed_with_its_id_and_its_trace() {
    let receiver = MockServer::start().await;
    answers(&receiver, 204).await;
    let stage = stage(&receiver.uri()).await;
    let replica = stage.replica().await;
    let mut event = change(7, 1);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    event.traceparent = Some(format!("00-{trace}-00f067aa0ba902b7-01"));
    stage.write(&event).await;
    let asked = requests(&receiver, 1).await;
    assert!(is_signed(&asked[0]));
    assert_eq!(header(&asked[0], "webhook-id"), event.event_id.to_string());
    assert!(header(&asked[0], "traceparent").contains(trace));
    let body: Value = asked[0].body_json().unwrap();
    assert_eq!(body["type"], "order.status_changed");
    assert_eq!(body["data"]["order_id"], 7);
    assert_eq!(body["data"]["status"], "paid");
    until_empty(&stage, replica).await;
    assert_eq!(stage.taken(1).await.len(), 1, "the other sink has it too");
}

#[tokio::test]
async fn after_a_time_away_the_receiver_gets_everything_in_version_order_with_the_same_ids() {
    let receiver = MockServer::start().await;
    answers(&receiver, 503).await;
    let stage = stage(&receiver.uri()).await;
    let replicas = [stage.replica().await, stage.replica().await];
    let mut written = BTreeSet::new();
    for version in 1..=5 {
        for order in 1..=6 {
            let event = change(order, version);
            stage.write(&event).await;
            written.insert(event.event_id.to_string());
        }
    }
    // The receiver takes nothing, and the other sink has it all.
    stage.taken(written.len()).await;
    let refused = requests(&receiver, 20).await;
    let bodies: BTreeMap<_, _> = refused
        .iter()
        .map(|it| (header(it, "webhook-id"), &it.body))
        .collect();
    assert!(
        refused
            .iter()
            .all(|it| bodies[header(it, "webhook-id")] == &it.body && is_signed(it))
    );
    let first_versions = bodies
        .values()
        .map(|body| serde_json::from_slice::<Value>(body).unwrap());
    assert!(
        first_versions
            .into_iter()
            .all(|body| body["data"]["version"] == 1)
    );
    answers(&receiver, 200).await;
    stage.until_count("webhook_queue", 0).await;
    let taken = receiver.received_requests().await.unwrap();
    let mut ids = BTreeSet::new();
    let mut last = BTreeMap::new();
    for request in &taken {
        let body: Value = request.body_json().unwrap();
        let version = body["data"]["version"].as_u64().unwrap();
        let before = last
            .insert(body["data"]["order_id"].to_string(), version)
            .unwrap_or(0);
        assert_eq!(version, before + 1);
        assert!(
            ids.insert(header(request, "webhook-id").to_owned()),
            "once each"
        );
    }
    assert_eq!(ids, written);
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test]
async fn what_the_receiver_refuses_is_parked_after_three_requests_and_can_be_replayed() {
    for status in [410, 302] {
        let receiver = MockServer::start().await;
        answers(&receiver, status).await;
        let stage = stage(&receiver.uri()).await;
        let replica = stage.replica().await;
        let event = change(1, 1);
        stage.write(&event).await;
        stage.until_count("dead_letters", 1).await;
        assert_eq!(
            requests(&receiver, 3).await.len(),
            3,
            "no redirect is followed"
        );
        let parked = format!(
            "dead_letters where refused_event = '{}' and reason like '%{status}%'",
            event.event_id
        );
        assert_eq!(stage.count(&parked).await, 1);
        answers(&receiver, 200).await;
        let config = notifier::Config {
            database: stage.database.name.clone(),
            webhook: stage.webhook.clone(),
            ..notifier::Config::default()
        };
        let letters = DeadLetters::open(&stage.database.config(), &config, Clock::system()).await;
        let letters = letters.unwrap();
        let id = letters.list(0, 1).await.unwrap()[0].id;
        let replayed = letters.replay(id, &*stage.sink, false).await.unwrap();
        assert_eq!(replayed, Replayed::Queued);
        let again = requests(&receiver, 1).await;
        assert_eq!(header(&again[0], "webhook-id"), event.event_id.to_string());
        stage.write(&change(1, 2)).await;
        requests(&receiver, 2).await;
        until_empty(&stage, replica).await;
    }
}

/// RFC 9110 §10.2.3: also the events that were not refused themselves wait, since there is one receiver.
#[tokio::test]
async fn a_receiver_that_says_when_to_come_back_is_asked_nothing_before() {
    let receiver = MockServer::start().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "3000");
    Mock::given(any()).respond_with(busy).mount(&receiver).await;
    let stage = stage(&receiver.uri()).await;
    let replica = stage.replica().await;
    stage.write(&change(1, 1)).await;
    let asked = requests(&receiver, 1).await;
    assert!(header(&asked[0], "user-agent").starts_with("marketplace-notifier/"));
    let waits = "webhook_queue where due_at > now() + interval '40 minutes'";
    stage.until_count(waits, 1).await;
    for order in 2..=6 {
        stage.write(&change(order, 1)).await;
    }
    stage.taken(6).await;
    // What the dispatcher would take at once is there, and several of its rounds pass.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(receiver.received_requests().await.unwrap().len(), 1);
    assert_eq!(stage.count("webhook_queue").await, 6);
    replica.stop().await;
}

/// A receiver that accepts and never answers.
#[tokio::test]
async fn a_receiver_that_hangs_holds_up_neither_the_partition_nor_the_other_sink() {
    let receiver = MockServer::start().await;
    let hangs = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    Mock::given(any())
        .respond_with(hangs)
        .mount(&receiver)
        .await;
    let stage = stage(&receiver.uri()).await;
    let replica = stage.replica().await;
    stage.write(&change(1, 1)).await;
    requests(&receiver, 1).await;
    let started = Instant::now();
    for version in 2..=20 {
        stage.write(&change(1, version)).await;
    }
    stage.taken(20).await;
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    replica.stop().await;
}

/// The process ends between the receiver's answer and its note in the queue: the row is still leased.
#[tokio::test]
async fn a_delivery_that_was_not_noted_is_repeated_under_the_same_id_when_its_lease_ends() {
    let receiver = MockServer::start().await;
    answers(&receiver, 200).await;
    let stage = stage(&receiver.uri()).await;
    let first = stage.replica().await;
    let event = change(1, 1);
    // The note fails, as if the process had died before it.
    stage
        .execute(
            "create function no() returns trigger language plpgsql as $$ begin raise 'not now'; end $$;
             create trigger no before delete on webhook_queue for each row execute function no()",
        )
        .await;
    stage.write(&event).await;
    requests(&receiver, 1).await;
    first.stop().await;
    // The lease ends soon after the longest request, or was given back by the stop.
    let too_long = "webhook_queue where due_at > now() + interval '20 seconds'";
    assert_eq!(stage.count("webhook_queue").await, 1);
    assert_eq!(stage.count(too_long).await, 0);
    stage
        .execute("drop trigger no on webhook_queue; update webhook_queue set due_at = now()")
        .await;
    let second = stage.replica().await;
    stage.until_count("webhook_queue", 0).await;
    let ids = requests(&receiver, 2).await;
    assert!(
        ids.iter()
            .all(|it| header(it, "webhook-id") == event.event_id.to_string())
    );
    second.stop().await;
}
