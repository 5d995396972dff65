//! A plan as text, for tests and for people.

use std::fmt::Write as _;
use std::ops::Range;

use serde_json::{Value, json};

use crate::plan::compile::{CompiledPlan, FetchPlan, PathElement, TargetPlan};
use crate::shape::Keys;

/// Writes a plan: of each fetch its number and those of the fetches that it starts after, its operation and where it goes.
pub(crate) fn explain(plan: &CompiledPlan, keys: &Keys) -> String {
    let mut out = String::new();
    for (number, fetch) in (1_usize..).zip(&plan.fetches) {
        let after = fetch.after.iter().map(|it| (it + 1).to_string());
        let after: Vec<_> = after.collect();
        match after.as_slice() {
            [] => line(&mut out, format_args!("fetch {number}")),
            after => line(
                &mut out,
                format_args!("fetch {number} after {}", after.join(", ")),
            ),
        }
        line(
            &mut out,
            format_args!("  {}: {}", fetch.subgraph, one_line(&fetch.text)),
        );
        for target in targets(fetch, keys) {
            line(&mut out, format_args!("    {target}"));
        }
    }
    out
}

/// The fetches of a plan: for each its number, those of the fetches that it starts after, its subgraph, its operation, and the
/// places that it goes to where that is not the root. All of them start after those of the plan `before`, by their numbers.
pub(crate) fn fetches(plan: &CompiledPlan, keys: &Keys, before: Range<usize>) -> Vec<Value> {
    let fetch = |(number, fetch): (usize, &FetchPlan)| {
        let after: Vec<_> = match fetch.after.as_slice() {
            [] => before.clone().collect(),
            positions => positions.iter().map(|it| before.end + it).collect(),
        };
        json!({
            "number": number,
            "after": after,
            "subgraph": &*fetch.subgraph,
            "operation": one_line(&fetch.text),
            "at": targets(fetch, keys),
        })
    };
    (before.end..).zip(&plan.fetches).map(fetch).collect()
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
