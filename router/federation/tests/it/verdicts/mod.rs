//! The verdict on documents and their variables is that of graphql-js, line by line of a corpus.
//!
//! `generate.mjs` writes it; `make differential` compares as many more as one likes. A line is
//! `[verdict, text]` or `[verdict, text, variables]`.

use federation::{Engine, EngineConfig, GraphRequest, OperationKinds};
use serde_json::{Map, Value as Json};

use crate::idle;

const SUPERGRAPH: &str = include_str!("supergraph.graphql");
const CORPUS: &str = include_str!("corpus.jsonl");

/// An engine over a supergraph of one subgraph that nobody calls; it refuses nothing for its size.
pub(crate) fn engine(supergraph: &str) -> Engine {
    let mut config = EngineConfig::default();
    config.limits.aliases = 1_000;
    config.limits.directives = 1_000;
    config.limits.cost = u64::MAX;
    config.limits.depth = 1_000;
    config.limits.introspection_schemas = 1_000;
    idle::engine(config, supergraph, &["one"])
}

/// The engine's verdict in the corpus' words.
async fn verdict(engine: &Engine, text: &str, variables: Map<String, Json>) -> String {
    let request = GraphRequest {
        query: Some(text.to_owned()),
        variables,
        ..GraphRequest::default()
    };
    let Err(refused) = engine.prepare(&request, OperationKinds::ALL).await else {
        return "ok".to_owned();
    };
    match refused.code().as_str() {
        "GRAPHQL_PARSE_FAILED" => "parse".to_owned(),
        "GRAPHQL_VALIDATION_FAILED" => {
            let is_marked = |error: &federation::GraphqlError| !error.locations.is_empty();
            match refused.errors().iter().find(|error| !is_marked(error)) {
                Some(unmarked) => format!("without a place: {}", unmarked.message),
                None => "invalid".to_owned(),
            }
        }
        "BAD_VARIABLES" => "variables".to_owned(),
        "OPERATION_NOT_FOUND" => "operation".to_owned(),
        other => format!("{other}: {refused}"),
    }
}

/// The corpus, or the file that `VERDICTS` names; each refusal of the text says where. Seen red with the library's reader and
/// rules alone: about one line in six.
#[expect(clippy::disallowed_methods, reason = "not a setting of the product")]
#[tokio::test]
async fn every_verdict_is_that_of_graphql_js() {
    let file = std::env::var("VERDICTS").ok();
    let file = file.map(|path| std::fs::read_to_string(path).expect("VERDICTS names a file"));
    let corpus = file.as_deref().unwrap_or(CORPUS);
    let engine = engine(SUPERGRAPH);
    let mut others = Vec::new();
    let mut count = 0;
    for line in corpus.lines() {
        let line: Vec<Json> = serde_json::from_str(line).expect("a line of the corpus");
        let text = line[1].as_str().expect("a text");
        let variables = line.get(2).and_then(Json::as_object).cloned();
        let ours = verdict(&engine, text, variables.unwrap_or_default()).await;
        count += 1;
        if ours != line[0] {
            others.push(format!(
                "{} is {ours} here: {text:?} {:?}",
                line[0],
                line.get(2)
            ));
        }
    }
    assert!(count >= 3_000, "{count}");
    let shown = others.iter().take(40).cloned().collect::<Vec<_>>();
    assert!(
        others.is_empty(),
        "{} of {count}\n{}",
        others.len(),
        shown.join("\n")
    );
}

/// What random documents rarely have: of 110,000 one had a -0 beside a 0, and three a subscription of one field under two names.
#[tokio::test]
async fn verdicts_on_what_is_rarely_written_are_those_of_graphql_js() {
    let engine = engine(SUPERGRAPH);
    for (expected, text) in [
        ("invalid", "mutation { forget(id: 0) forget(id: -0) }"),
        ("ok", "mutation { forget(id: -0) forget(id: -0) }"),
        ("ok", "{ nodes(ids: [-0], first: -0) { id } }"),
        (
            "invalid",
            "subscription { saved { id } other: saved { id } }",
        ),
        (
            "invalid",
            "subscription { ...F saved { id } } fragment F on Subscription { a: saved { id } }",
        ),
        (
            "ok",
            "subscription { saved { id } ...F } fragment F on Subscription { saved { name } }",
        ),
        // As the specification has it: graphql-js takes an empty selection.
        ("parse", "{ person { } }"),
        ("parse", "subscription { saved(id: 7) {} }"),
    ] {
        assert_eq!(verdict(&engine, text, Map::new()).await, expected, "{text}");
    }
}
