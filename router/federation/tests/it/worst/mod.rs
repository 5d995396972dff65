//! Documents that are made to cost much: what each may lead to, and how much room they take.

mod documents;

use federation::{EngineConfig, OperationKinds};
use serde_json::{Value as Json, json};

use crate::toy::{Toy, request, shop};

/// None is a fault of ours, and no refusal is much longer than what refused it.
#[tokio::test]
async fn the_worst_documents_are_prepared_or_refused_in_few_words() {
    let toy = Toy::new(&shop());
    for document in documents::documents() {
        let mut request = request(&document.text, document.variables);
        if document.text.contains("query q0") {
            request.operation_name = Some("q0".to_owned());
        }
        let Err(refused) = toy.engine.prepare(&request, OperationKinds::ALL).await else {
            continue;
        };
        let name = document.name;
        assert_ne!(refused.code().as_str(), "INTERNAL", "{name}");
        assert!(refused.errors().len() <= 100, "{name}");
        assert!(refused.to_body().len() < 64 * 1024, "{name}");
        let least = if document.text.len() > 1_024 { 2 } else { 1 };
        assert!(
            refused.cost() >= least || refused.errors()[0].extensions.contains_key("limit"),
            "{name}"
        );
    }
    assert!(toy.calls().is_empty());
}

/// Refused before it is parsed, however it comes. Seen red without the check.
#[tokio::test]
async fn a_text_may_have_so_many_bytes_and_no_more() {
    let toy = Toy::new(&shop());
    let padded = |length: usize| format!("{{ warehouse }}{}", " ".repeat(length - 13));
    let fits = padded(64 * 1024);
    assert!(toy.prepare(&fits, json!({})).await.is_ok());
    let over = padded(64 * 1024 + 1);
    let refused = toy.prepare(&over, json!({})).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "LIMIT_EXCEEDED");
    let extensions = Json::Object(refused.errors()[0].extensions.clone());
    assert_eq!(
        extensions,
        json!({ "limit": "text_bytes", "value": 65_537, "max": 65_536,
            "setting": "router.engine.limits.text_bytes" })
    );
    let mut persisted = request(&over, json!({}));
    let named = json!({ "version": 1, "sha256Hash": "0".repeat(64) });
    persisted
        .extensions
        .insert("persistedQuery".to_owned(), named);
    let refused = toy.engine.prepare(&persisted, OperationKinds::ALL).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.errors()[0].extensions["limit"], "text_bytes");
}

/// A text in the variables is bounded wherever it stands, used or not, and what is as long as it may be is served. Fails
/// without the check.
#[tokio::test]
async fn a_text_in_a_variable_may_have_so_many_bytes_and_no_more() {
    let toy = Toy::new(&shop());
    let query = "query ($sku: ID!) { product(sku: $sku) { sku } }";
    let fits = json!({ "sku": "9".repeat(64 * 1024), "more": ["x", "x"] });
    let answer = toy.run(query, fits).await;
    assert_eq!(answer["data"], json!({ "product": null }));
    toy.calls();
    let long = "é".repeat(32 * 1024 + 1);
    let member = Json::Object([(long.clone(), json!(1))].into_iter().collect());
    for variables in [
        json!({ "sku": long }),
        json!({ "sku": "1", "unused": [{ "deep": [1, long] }] }),
        json!({ "sku": "1", "unused": member }),
        member,
    ] {
        let refused = toy.prepare(query, variables).await.unwrap_err();
        assert_eq!(refused.code().as_str(), "LIMIT_EXCEEDED");
        let extensions = Json::Object(refused.errors()[0].extensions.clone());
        assert_eq!(
            extensions,
            json!({ "limit": "value_bytes", "value": 65_538, "max": 65_536,
                "setting": "router.engine.limits.value_bytes" })
        );
    }
    assert!(toy.calls().is_empty());
}

/// The resident memory of this process, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib = kib.and_then(|kib| kib.parse::<usize>().ok());
    kib.expect("a number of kB") * 1024
}

#[cfg(target_os = "linux")]
#[test]
fn distinct_texts_fill_no_more_than_the_caches_may_hold() {
    let this = std::env::current_exe().expect("the binary of this test");
    let alone = std::process::Command::new(this)
        .args(["--exact", ALONE, "--include-ignored", "--nocapture"])
        .status();
    let alone = alone.expect("it runs");
    assert!(alone.success(), "{alone}");
}

#[cfg(target_os = "linux")]
const ALONE: &str = "worst::distinct_texts_in_a_process_of_their_own";

/// The memory of operations that nobody asks for again is bounded in bytes: these would take about 150 MB. Seen red with
/// caches that count entries, and with keys that hold the text or the document.
#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "the test above runs it where no other test takes memory"]
async fn distinct_texts_in_a_process_of_their_own() {
    const CACHE: usize = 8 * 1024 * 1024;
    let config = EngineConfig {
        cache_bytes: CACHE as u64,
        ..EngineConfig::default()
    };
    let toy = Toy::with(&shop(), config, None);
    let texts: [fn(usize) -> String; 2] = [
        |n| {
            format!(
                "{{ product(sku: \"{n}{}\") {{ sku }} }}",
                "9".repeat(60_000)
            )
        },
        |n| format!("{{ sure {{ {} }} }} # {n}", "sku ".repeat(1_900)),
    ];
    for text in texts {
        assert!(toy.prepare(&text(0), json!({})).await.is_ok());
    }
    let before = resident();
    for n in 1..=300 {
        for text in texts {
            assert!(toy.prepare(&text(n), json!({})).await.is_ok());
        }
    }
    let grown = resident().saturating_sub(before);
    // The allocator keeps some of what was freed.
    assert!(grown < 4 * CACHE, "{grown} bytes for caches of {CACHE}");
}
