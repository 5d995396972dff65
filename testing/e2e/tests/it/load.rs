//! The user who measures: `marketplace load` on a running marketplace, and what it says when there is none.

use std::time::Duration;

use load::{Arrivals, Load, Mix, Plan, Report};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::shop::{Arrangement, Shop, command, free_offset};

fn plan(shop: &Shop) -> Plan {
    let url = |port| shop.url(port).parse().unwrap();
    Plan {
        url: url(4000),
        rest_url: Some(url(8080)),
        admin_url: Some(url(4001)),
        rate: 20.0,
        arrivals: Arrivals::Fixed,
        duration: Duration::from_secs(4),
        shoppers: 40,
        subscribers: 40,
        seed: 1,
        mix: "add=4,checkout=4,pay=2,cancel=1,comment=1,history=1,refusal=2,rest=1"
            .parse::<Mix>()
            .unwrap(),
        hot: 2,
        in_flight_max: 100,
        patience: Duration::from_secs(30),
    }
}

/// Runs the plan until somebody has checked out: a cold marketplace on a busy machine may fill no cart in time.
async fn run(shop: &Shop) -> Report {
    for _ in 0..5 {
        let load = Load::prepare(plan(shop)).await.unwrap();
        let report = load.run(CancellationToken::new()).await;
        assert!(report.is_clean(), "{report}");
        if orders(&report) > 0 {
            return report;
        }
    }
    panic!("nobody checked out in five runs");
}

fn orders(report: &Report) -> u64 {
    let mut rows = report.operations.iter();
    rows.find(|row| row.name == "checkout")
        .map_or(0, |row| row.done)
}

fn assert_frames_agree(report: &Report) {
    let streams = report.streams.as_ref().expect("it had subscribers");
    // Each order has at least the versions NEW and AWAITING_PAYMENT, and every shopper is watched.
    assert!(streams.frames >= 2 * orders(report), "{report}");
}

#[tokio::test]
async fn shoppers_and_their_subscribers_agree_on_every_order() {
    // Of its own: shoppers put units in, and other tests know what the shared one has.
    let shop = Shop::start(Arrangement::Together).await;
    let report = run(&shop).await;
    assert_frames_agree(&report);
    assert!(report.memory.is_some_and(|it| it.peak > 0), "{report}");
    assert_eq!(report.trace_id.as_ref().map(String::len), Some(32));
    shop.stop().await;
}

#[tokio::test]
async fn a_mock_broker_carries_every_event_and_says_that_it_keeps_none() {
    let folder = TempDir::with_prefix("marketplace-e2e-").unwrap().keep();
    let set = ["up.broker=mock".to_owned()];
    let shop = Shop::start_in(&folder, Arrangement::Together, free_offset(), &set).await;
    assert!(shop.output().contains("MOCK BROKER"), "{}", shop.output());
    assert!(
        shop.output().contains("MOCK, VOLATILE"),
        "{}",
        shop.output()
    );
    assert_frames_agree(&run(&shop).await);
    shop.stop().await;
}

#[tokio::test]
async fn load_without_a_marketplace_says_how_to_start_one() {
    let folder = TempDir::new().unwrap();
    let mut command = command(&folder.path().join("state"), 0);
    let output = command
        .args(["load", "--url", "http://127.0.0.1:1/"])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(stderr.contains("http://127.0.0.1:1/demo/token"), "{stderr}");
    assert!(stderr.contains("`marketplace up` starts one"), "{stderr}");
}
