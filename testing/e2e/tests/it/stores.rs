//! The user who runs it where both stores die at once: ready again by itself, soon, and without an event to help.

use std::time::{Duration, Instant};

use dev_services::process::{Identity, Signal, send};
use serde_json::Value;
use testkit::eventually;

use crate::shop::{Arrangement, Shop};

/// The promise is 10 s on a quiet machine; the tests' machine is not quiet.
const LIMIT: Duration = Duration::from_secs(30);

/// Nobody shops meanwhile, so no message tells a consumer that its broker is back: without `broker_answers` the notifier
/// stayed down for the 190 s that it was watched.
#[tokio::test]
async fn when_both_stores_are_killed_every_component_is_up_again_soon() {
    let shop = Shop::start(Arrangement::Together).await;
    let stores = [store(&shop, "postgres"), store(&shop, "java")];
    let killed = Instant::now();
    for store in &stores {
        send(store.pid, Signal::Kill);
    }
    // Else the answer from before the kill would pass for recovery.
    eventually("the loss is noticed", LIMIT, async || {
        let (status, down) = readiness(&shop).await;
        (status != 200 && !down.is_empty()).then_some(())
    })
    .await;
    eventually("every component is up", LIMIT, async || {
        let (status, down) = readiness(&shop).await;
        (status == 200 && down.is_empty()).then_some(())
    })
    .await;
    println!(
        "all up {:.1} s after the kill",
        killed.elapsed().as_secs_f64()
    );
    shop.stop().await;
}

/// The process of a private store, which is the first of its name below the launcher.
fn store(shop: &Shop, name: &str) -> Identity {
    let is_named = |process: &Identity| {
        std::fs::read_to_string(format!("/proc/{}/comm", process.pid))
            .is_ok_and(|comm| comm.trim() == name)
    };
    let mut processes = shop.processes().into_iter();
    processes.find(is_named).expect("a store of our own")
}

/// The status of `/readyz` on the admin port, and the components that are not up.
async fn readiness(shop: &Shop) -> (u16, Vec<String>) {
    let url = format!("{}/readyz", shop.url(4001));
    let answer = shop.http().get(url).send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    let components = body["components"].as_object().unwrap();
    let down = components.iter().filter(|(_, state)| *state != "up");
    (status, down.map(|(name, _)| name.clone()).collect())
}
