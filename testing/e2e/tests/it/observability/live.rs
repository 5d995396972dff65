//! The boards and rules against a marketplace that works: a real Prometheus scrapes it while the demo runs.

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testkit::Collector;
use tokio::time::{Instant, sleep};

use super::{board, demo, prometheus::Prometheus, selector::selectors};
use crate::shop::{Arrangement, Shop, free_offset};

/// How long the demo may take until everything has been seen.
const LIMIT: Duration = Duration::from_secs(90);

/// What is wrong with a query of a panel at this moment, if anything is.
async fn fault(prometheus: &Prometheus, query: &board::Query) -> Option<String> {
    let samples = prometheus.query(&query.expression).await;
    let shown = |sample: &Value| {
        sample["value"][1]
            .as_str()
            .is_some_and(|text| text != "NaN")
    };
    if !samples.iter().any(shown) {
        return Some(format!("{}: empty: {}", query.place, query.expression));
    }
    let missing = query.legend.iter().find(|label| {
        !samples
            .iter()
            .all(|sample| sample["metric"][label.as_str()].is_string())
    });
    missing.map(|label| {
        format!(
            "{}: its legend shows {label}, which the series lack",
            query.place
        )
    })
}

/// A selector that finds no series, with where it is used.
async fn dead_selectors(prometheus: &Prometheus) -> Vec<String> {
    let boards = board::queries()
        .into_iter()
        .map(|query| (query.place, query.expression));
    let rules = prometheus.rules().await.into_iter().map(|rule| {
        let text = |name: &str| rule[name].as_str().unwrap_or_default().to_owned();
        (format!("rule {}", text("name")), text("query"))
    });
    let mut dead = Vec::new();
    for (place, expression) in boards.chain(rules) {
        let found = selectors(&expression);
        assert!(!found.is_empty(), "{place}: no metric in {expression}");
        for selector in found {
            if !prometheus.has_series(&selector).await {
                dead.push(format!("{place}: nobody emits {selector}"));
            }
        }
    }
    dead
}

async fn faults(prometheus: &Prometheus) -> Vec<String> {
    let mut faults = dead_selectors(prometheus).await;
    for query in board::queries() {
        faults.extend(fault(prometheus, &query).await);
    }
    faults
}

/// No panel is empty, and every selector of every panel and rule finds a series.
///
/// Seen red with a metric's name misspelt in a panel, and with a value in a matcher that is never emitted.
#[tokio::test]
async fn every_panel_shows_data_and_every_rule_reads_what_is_emitted() {
    let folder = TempDir::with_prefix("marketplace-boards-").unwrap();
    let collector = Collector::start().await;
    let traced = [format!("telemetry.otlp_endpoint={}", collector.endpoint())];
    let shop = Shop::start_in(folder.path(), Arrangement::Together, free_offset(), &traced).await;
    let target = format!("127.0.0.1:{}", shop.port(4001));
    let prometheus = Prometheus::start(folder.path(), &target).await;
    let _watchers = demo::watch(&shop).await;
    let deadline = Instant::now() + LIMIT;
    let left = loop {
        demo::visit(&shop).await;
        let left = faults(&prometheus).await;
        if left.is_empty() || Instant::now() > deadline {
            break left;
        }
        sleep(Duration::from_millis(500)).await;
    };
    assert!(
        left.is_empty(),
        "{} faults:\n{}",
        left.len(),
        left.join("\n")
    );
    rules_are_evaluated_and_quiet(&prometheus).await;
    let exemplars = prometheus
        .exemplars("marketplace_router_request_seconds_bucket")
        .await;
    assert!(exemplars > 0, "no bucket leads to a trace");
    prometheus.stop().await;
    shop.stop().await;
}

/// A shop that works alarms nobody.
async fn rules_are_evaluated_and_quiet(prometheus: &Prometheus) {
    for rule in prometheus.rules().await {
        assert_eq!(rule["health"], "ok", "{rule}");
        assert_ne!(rule["state"], "firing", "{rule}");
    }
}
