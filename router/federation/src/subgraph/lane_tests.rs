use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::*;
use crate::host::Host;
use crate::request::OperationKind;

/// Says the SKU of each representation, once it is let.
struct Shop {
    calls: Mutex<Vec<Vec<u64>>>,
    running: AtomicUsize,
    most: AtomicUsize,
    gate: Semaphore,
}

impl Subgraph for Shop {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        _ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        Box::pin(async move {
            let variables: Value = serde_json::from_slice(&request.variables).unwrap();
            let list = variables["representations"].as_array().unwrap();
            let skus: Vec<u64> = list.iter().map(|it| it["sku"].as_u64().unwrap()).collect();
            self.calls.lock().push(skus.clone());
            let running = self.running.fetch_add(1, SeqCst) + 1;
            self.most.fetch_max(running, SeqCst);
            self.gate.acquire().await.unwrap().forget();
            self.running.fetch_sub(1, SeqCst);
            Ok(json!({"data": {"_entities": skus}}).to_string().into())
        })
    }
}

struct Setting {
    shop: Arc<Shop>,
    lanes: Arc<Lanes>,
    telemetry: Arc<dyn Telemetry>,
}

impl Setting {
    fn new(calls_max: usize, entities_max: usize) -> Self {
        Self {
            shop: Arc::new(Shop {
                calls: Mutex::default(),
                running: AtomicUsize::new(0),
                most: AtomicUsize::new(0),
                gate: Semaphore::new(0),
            }),
            lanes: Lanes::new(calls_max, entities_max),
            telemetry: Host::default().telemetry,
        }
    }

    async fn fetch(&self, text: &str, reader: &str, sku: u64) -> Value {
        let lane = Lane {
            lanes: Arc::clone(&self.lanes),
            reader: reader.into(),
        };
        let request = FetchRequest {
            text: text.into(),
            prefix: Bytes::new(),
            kind: OperationKind::Query,
            variables: json!({"representations": [{"sku": sku}]})
                .to_string()
                .into(),
            objects_max: 10,
            fields: Arc::from([("_entities".to_owned(), "_entities".to_owned())]),
            entities: Some("representations".into()),
        };
        let ctx = RequestContext::anonymous(Instant::now() + Duration::from_secs(60));
        let shop: Arc<dyn Subgraph> = self.shop.clone();
        let name = Arc::from("shop");
        let response = lane.fetch(&name, &shop, request, &ctx, &self.telemetry);
        serde_json::from_slice(&response.await.unwrap()).unwrap()
    }

    async fn all(&self, wanted: impl IntoIterator<Item = (&str, &str, u64)>) {
        let fetches = wanted.into_iter().map(|(text, reader, sku)| async move {
            let response = self.fetch(text, reader, sku).await;
            assert_eq!(response, json!({"data": {"_entities": [sku]}}));
        });
        join_all(fetches).await;
    }

    fn calls(&self) -> Vec<Vec<u64>> {
        std::mem::take(&mut *self.shop.calls.lock())
    }
}

/// Seen red with a call for each fetch.
#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_call_of_its_kind_goes_in_the_next_one() {
    let setting = Setting::new(4, 100);
    setting.shop.gate.add_permits(100);
    setting.all((0..50).map(|sku| ("q", "r", sku % 20))).await;
    let calls = setting.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!(calls[0], [0]);
    assert_eq!(calls[1].len(), 20, "each entity once: {calls:?}");
}

#[tokio::test(start_paused = true)]
async fn other_rights_and_other_questions_are_other_calls() {
    let setting = Setting::new(8, 100);
    setting.shop.gate.add_permits(100);
    let wanted = [("q", "a"), ("q", "b"), ("p", "a")];
    let wanted = wanted.into_iter().flat_map(|(text, reader)| {
        let skus = if reader == "a" { [1, 2, 3] } else { [4, 5, 6] };
        skus.map(|sku| (text, reader, sku))
    });
    setting.all(wanted).await;
    for call in setting.calls() {
        let of_a = call.iter().filter(|sku| **sku < 4).count();
        assert!(of_a == 0 || of_a == call.len(), "{call:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_subgraph_has_no_more_calls_at_once_than_the_lanes_have_and_all_kinds_take_turns() {
    let setting = Setting::new(2, 10);
    let crowd = (0..1_000).map(|sku| ("crowd", "r", sku));
    let one = [("one", "r", 5_000)];
    let all = setting.all(crowd.chain(one));
    let watch = async {
        for passed in 0..=101 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if setting
                .shop
                .calls
                .lock()
                .iter()
                .any(|call| call[0] == 5_000)
            {
                assert!(passed <= 3, "it stood behind {passed} calls of the crowd");
                break;
            }
            setting.shop.gate.add_permits(1);
        }
        setting.shop.gate.add_permits(1_000);
    };
    futures::future::join(all, watch).await;
    assert_eq!(setting.shop.most.load(SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_does_not_hold_up_the_next_of_its_kind() {
    let setting = Setting::new(2, 100);
    let first = setting.fetch("q", "r", 1);
    let second = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        futures::future::join(setting.fetch("q", "r", 2), async {
            tokio::time::sleep(SLOW * 2).await;
            assert_eq!(setting.shop.running.load(SeqCst), 2);
            setting.shop.gate.add_permits(2);
        })
        .await
    };
    futures::future::join(first, second).await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_any_more_is_not_asked_for_and_its_place_is_free() {
    let setting = Setting::new(1, 100);
    for _ in 0..3 {
        let gone = join_all((0..3).map(|sku| setting.fetch("q", "r", sku)));
        let gone = tokio::time::timeout(Duration::from_millis(1), gone).await;
        assert!(gone.is_err(), "nobody was let");
    }
    setting.shop.gate.add_permits(1);
    let next = setting.fetch("q", "r", 7);
    setting.shop.gate.add_permits(1);
    assert_eq!(next.await["data"]["_entities"], json!([7]));
    assert_eq!(setting.calls(), [vec![0], vec![7]]);
}
