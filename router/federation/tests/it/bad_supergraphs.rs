//! Supergraphs that are none, or were damaged on their way: each is refused by name or served, and none takes the process down.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use federation::{Engine, EngineConfig, Host, LoadError, OperationKinds, Transport, api_schema};
use serde_json::json;

use crate::toy::{SUPERGRAPH, context, request};

fn load(text: &str) -> Result<Engine, LoadError> {
    let subgraphs = ["catalog", "reviews", "stock", "events"];
    let transport = || Transport::http("http://127.0.0.1:1/").expect("an address");
    let subgraphs: BTreeMap<_, _> = subgraphs.map(|it| (it.to_owned(), transport())).into();
    Engine::new(EngineConfig::default(), text, subgraphs, Host::default())
}

fn with(from: &str, to: &str) -> String {
    let text = SUPERGRAPH.replace(from, to);
    assert_ne!(text, SUPERGRAPH, "{from} is not in the toy");
    text
}

/// The text with each of its lines left out, and with each of its words another one once.
fn damaged() -> impl Iterator<Item = String> {
    let lines: Vec<&str> = SUPERGRAPH.lines().collect();
    let without =
        (0..lines.len()).map(move |at| [&lines[..at], &lines[at + 1..]].concat().join("\n"));
    let is_word = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let mut words: Vec<&str> = SUPERGRAPH.split(|it| !is_word(it)).collect();
    words.sort_unstable();
    words.dedup();
    let words = words.into_iter().filter(|it| !it.is_empty());
    without.chain(words.map(|word| SUPERGRAPH.replacen(word, "Query", 1)))
}

async fn ask(engine: &Engine) {
    let queries = [
        "{ products { sku stock { total } reviews { text } } }",
        "{ me { name } __schema { types { name fields { name } } } }",
        "mutation { drop(sku: \"1\") { sku } }",
    ];
    for query in queries {
        let asked = request(query, json!({}));
        if let Ok(prepared) = engine.prepare(&asked, OperationKinds::ALL).await {
            engine.execute(&prepared, &context()).await;
        }
    }
}

/// Seen red with a panic of the planner's crate let through.
#[tokio::test]
async fn a_damaged_supergraph_is_refused_or_served_and_never_panics() {
    let (mut served, mut refused, mut faults) = (0, 0, Vec::new());
    for text in damaged() {
        let loading = catch_unwind(AssertUnwindSafe(|| {
            drop(api_schema(&text));
            load(&text)
        }));
        match loading {
            Ok(Ok(engine)) => {
                served += 1;
                ask(&engine).await;
            }
            Ok(Err(error)) => {
                assert!(!error.to_string().contains('\n'), "{error}");
                refused += 1;
            }
            Err(_) => faults.push(text),
        }
    }
    assert!(
        served > 50 && refused > 50,
        "{served} served, {refused} refused"
    );
    let first = faults.first().map(|text| {
        let mut lines = text.lines().zip(SUPERGRAPH.lines());
        lines.find(|(one, other)| one != other)
    });
    assert_eq!(first, None, "{} panic", faults.len());
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    let deep = 50_000;
    let (open, close) = ("[".repeat(deep), "]".repeat(deep));
    let list = format!("type Query {{ a: {open}String{close} }}");
    let value = format!("type Query @join__type(graph: {open}{close}) {{ a: String }}");
    let fields = with(
        "requires: \"weight",
        &format!("requires: \"{}", "weight{".repeat(deep)),
    );
    for text in [list, value, fields] {
        assert!(load(&text).is_err());
    }
}
