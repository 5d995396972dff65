//! A plan as text, for tests and for people.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::plan::compile::{CompiledPlan, FetchPlan, PathElement, TargetPlan};
use crate::shape::Keys;

/// Writes a plan, a line a fetch under a line a wave.
pub(crate) fn explain(plan: &CompiledPlan, keys: &Keys) -> String {
    let mut out = String::new();
    for (position, wave) in plan.waves.iter().enumerate() {
        line(&mut out, format_args!("wave {}", position + 1));
        for fetch in wave {
            line(
                &mut out,
                format_args!("  {}: {}", fetch.subgraph, one_line(&fetch.text)),
            );
            for target in targets(fetch, keys) {
                line(&mut out, format_args!("    {target}"));
            }
        }
    }
    out
}

/// The waves of a plan: for each fetch its subgraph, its operation, and the places that it goes to where that is not the root.
pub(crate) fn waves(plan: &CompiledPlan, keys: &Keys) -> Vec<Value> {
    let fetch = |fetch: &FetchPlan| {
        json!({
            "subgraph": &*fetch.subgraph,
            "operation": one_line(&fetch.text),
            "at": targets(fetch, keys),
        })
    };
    let waves = plan.waves.iter();
    waves.map(|wave| wave.iter().map(fetch).collect()).collect()
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a String takes whatever is written");
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn targets(fetch: &FetchPlan, keys: &Keys) -> Vec<String> {
    match &fetch.target {
        TargetPlan::Root => Vec::new(),
        TargetPlan::Path(path) => vec![format!("at {}", walk(path, keys))],
        TargetPlan::Entities(batches) => {
            let batch_lines = batches.iter().flat_map(|batch| {
                let paths = batch.paths.iter();
                paths.map(|path| format!("{} at {}", batch.alias_name, walk(path, keys)))
            });
            batch_lines.collect()
        }
    }
}

fn walk(path: &[PathElement], keys: &Keys) -> String {
    let step = |step: &PathElement| match step {
        PathElement::Field(key) => keys.name(*key).to_owned(),
        PathElement::List => "@".to_owned(),
        PathElement::Types(types) => {
            format!("[{}]", types.iter().cloned().collect::<Vec<_>>().join("|"))
        }
    };
    path.iter().map(step).collect::<Vec<_>>().join(".")
}
