//! What readers and buyers meet while the product service is out of reach. Source: docs/contracts.md §2.

use std::time::Duration;

use cart::Config;
use product_service::Faults;
use serde_json::{Value, json};

use crate::graph::Graph;

const READ: &str = "{ me { cart { itemCount total { amount } lines {
    count product { sku name price { amount } } } } } }";
const CHECKOUT: &str = "mutation { checkout { order { id } userErrors { code } } }";

/// Nothing is believed for longer than its request, so each look-up asks; one product is in the cart.
async fn shop(stale_ttl: Duration) -> Graph {
    let config = Config {
        product_rate: 10_000,
        product_burst: 10_000,
        product_retries: 1,
        product_timeout: Duration::from_millis(200),
        product_cache_ttl: Duration::ZERO,
        product_stale_ttl: stale_ttl,
        ..Config::default()
    };
    let graph = Graph::start_faulty(healthy(), config).await;
    let added = graph.add("1076963", 2).await;
    assert_eq!(added["cart"]["itemCount"], 2, "{added}");
    graph
}

fn healthy() -> Faults {
    Faults {
        enabled: true,
        ..Faults::default()
    }
}

fn broken() -> Faults {
    Faults {
        status_500_every: 1,
        ..healthy()
    }
}

fn code(answer: &Value) -> &Value {
    &answer["errors"][0]["extensions"]["code"]
}

fn stale() -> Value {
    json!({"warnings": [{
        "code": "STALE_PRODUCT",
        "message": "the product service is out of reach: name and price are from before",
        "sku": "1076963",
    }]})
}

/// Seen red without the memory of what was last seen.
#[tokio::test]
async fn carts_list_through_every_kind_of_outage_and_say_that_they_are_old() {
    let outages = [
        broken(),
        Faults {
            status_429_every: 1,
            ..healthy()
        },
        Faults {
            hang_every: 1,
            ..healthy()
        },
    ];
    for outage in outages {
        let graph = shop(Duration::from_mins(10)).await;
        let fresh = graph.ask(READ).await;
        assert_eq!(fresh.get("extensions"), None, "{fresh}");
        graph.put_faults(&outage).await;
        let old = graph.ask(READ).await;
        assert_eq!(old["data"], fresh["data"], "{outage:?}");
        assert_eq!(old.get("errors"), None);
        assert_eq!(old["extensions"], stale(), "{outage:?}");
    }
}

#[tokio::test]
async fn a_service_that_is_gone_is_an_outage_too_and_the_count_says_so() {
    let graph = shop(Duration::from_mins(10)).await;
    graph.products.shutdown(Duration::from_secs(5)).await;
    assert_eq!(graph.ask(READ).await["extensions"], stale());
    let metrics = chassis::telemetry::metrics_text();
    for name in [
        r#"marketplace_catalogue_lookups_total{source="stale"}"#,
        r#"marketplace_catalogue_request_seconds_count{outcome="unreachable"}"#,
        "marketplace_catalogue_queue_seconds_count",
        "marketplace_catalogue_queued_requests",
    ] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
}

/// What the cart knows itself stays: lines and counts are there, and each price that is missing says why at its own
/// place.
#[tokio::test]
async fn a_cart_keeps_what_it_knows_when_no_price_can_be_read() {
    let graph = shop(Duration::ZERO).await;
    graph.put_faults(&broken()).await;
    let read = "{ me { id cart { itemCount total { amount } lines { count total { amount } product { sku name } } } } }";
    let answer = graph.ask(read).await;
    // A subgraph leaves out a field that failed; the router writes null.
    let line = json!({"count": 2, "product": {"sku": "1076963"}});
    let cart = json!({"itemCount": 2, "lines": [line]});
    assert_eq!(answer["data"], json!({"me": {"id": "1", "cart": cart}}));
    let errors = answer["errors"]
        .as_array()
        .expect("each hole has its error");
    let mut paths: Vec<String> = errors
        .iter()
        .map(|error| error["path"].to_string())
        .collect();
    paths.sort();
    let expected = [
        r#"["me","cart","lines",0,"product","name"]"#,
        r#"["me","cart","lines",0,"total"]"#,
        r#"["me","cart","total"]"#,
    ];
    assert_eq!(paths, expected);
    assert_eq!(code(&answer), "UNAVAILABLE");
}

#[tokio::test]
async fn once_the_service_is_back_so_are_today_s_prices() {
    let graph = shop(Duration::from_mins(10)).await;
    graph.put_faults(&broken()).await;
    assert_eq!(graph.ask(READ).await["extensions"], stale());
    graph.put_faults(&healthy()).await;
    let fresh = async || {
        let answer = graph.ask(READ).await;
        answer.get("extensions").is_none().then_some(answer)
    };
    let answer = testkit::eventually("no warning any more", Duration::from_secs(10), fresh).await;
    assert_eq!(answer.get("errors"), None);
}

/// An outage does not use up the rate: the service is asked about a product again only after a moment.
#[tokio::test]
async fn readers_in_an_outage_hardly_ask() {
    let graph = shop(Duration::from_mins(10)).await;
    graph.put_faults(&broken()).await;
    for _ in 0..20 {
        graph.ask(READ).await;
    }
    let requests = graph.product_requests().await;
    assert!(requests <= 5, "{requests} requests for 60 look-ups");
}

#[tokio::test]
async fn a_product_that_was_not_seen_is_unavailable() {
    let graph = shop(Duration::from_mins(10)).await;
    graph.put_faults(&broken()).await;
    for unknown in ["2956315", "1076963000"] {
        let answer = graph.add_as(1, unknown, 1).await;
        assert_eq!(code(&answer), "UNAVAILABLE", "{unknown}: {answer}");
    }
    assert_eq!(
        graph.add("1076963", 1).await,
        json!({"cart": {"itemCount": 3}, "userErrors": []}),
        "one that was seen can be added"
    );
}

/// Seen red with stale prices accepted.
#[tokio::test]
async fn nothing_is_ordered_at_an_old_price() {
    let graph = shop(Duration::from_mins(10)).await;
    graph.put_faults(&broken()).await;
    let refused = graph.ask(CHECKOUT).await;
    assert_eq!(code(&refused), "UNAVAILABLE", "{refused}");
    assert_eq!(graph.loms.orders().len(), 0);
    let counted = r#"marketplace_cart_checkout_seconds_count{outcome="UNAVAILABLE"}"#;
    assert!(chassis::telemetry::metrics_text().contains(counted));
    assert_eq!(graph.ask(READ).await["data"]["me"]["cart"]["itemCount"], 2);
}

#[tokio::test]
async fn past_its_bound_nothing_old_is_given() {
    let graph = shop(Duration::from_millis(300)).await;
    graph.put_faults(&broken()).await;
    let unavailable = async || {
        let answer = graph.ask(READ).await;
        (code(&answer) == "UNAVAILABLE").then_some(())
    };
    testkit::eventually("the bound is passed", Duration::from_secs(5), unavailable).await;
    let counted = graph.ask("{ me { cart { itemCount } } }").await;
    assert_eq!(
        counted["data"]["me"]["cart"]["itemCount"], 2,
        "what needs no product is there"
    );
}

/// A service that answers nonsense is not out of reach, and a fault of ours or theirs must not hide behind old data.
#[tokio::test]
async fn an_answer_that_is_not_understood_is_no_outage() {
    for malformed in [
        Faults {
            malformed_every: 1,
            ..healthy()
        },
        Faults {
            huge_every: 1,
            ..healthy()
        },
    ] {
        let graph = shop(Duration::from_mins(10)).await;
        graph.put_faults(&malformed).await;
        let answer = graph.ask(READ).await;
        assert_eq!(code(&answer), "INTERNAL", "{malformed:?}: {answer}");
    }
}
