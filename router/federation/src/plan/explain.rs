//! A plan as text, for tests and for people.

use std::fmt::Write as _;

use crate::plan::compile::{ExecPlan, FetchPlan, TargetPlan, Walk};
use crate::shape::Keys;

/// Writes a plan, a line a fetch under a line a wave.
pub(crate) fn explain(plan: &ExecPlan, keys: &Keys) -> String {
    let mut out = String::new();
    for (position, wave) in plan.waves.iter().enumerate() {
        line(&mut out, format_args!("wave {}", position + 1));
        for fetch in wave {
            line(
                &mut out,
                format_args!("  {}: {}", fetch.subgraph, one_line(&fetch.text)),
            );
            for place in places(fetch, keys) {
                line(&mut out, format_args!("    {place}"));
            }
        }
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a String takes whatever is written");
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn places(fetch: &FetchPlan, keys: &Keys) -> Vec<String> {
    match &fetch.target {
        TargetPlan::Root => Vec::new(),
        TargetPlan::Places(path) => vec![format!("at {}", walk(path, keys))],
        TargetPlan::Entities(batches) => {
            let batch_lines = batches.iter().flat_map(|batch| {
                let paths = batch.paths.iter();
                paths.map(|path| format!("{} at {}", batch.alias_name, walk(path, keys)))
            });
            batch_lines.collect()
        }
    }
}

fn walk(path: &[Walk], keys: &Keys) -> String {
    let step = |step: &Walk| match step {
        Walk::Field(key) => keys.name(*key).to_owned(),
        Walk::List => "@".to_owned(),
        Walk::Types(types) => {
            format!("[{}]", types.iter().cloned().collect::<Vec<_>>().join("|"))
        }
    };
    path.iter().map(step).collect::<Vec<_>>().join(".")
}
