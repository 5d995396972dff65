//! Circles between the files of a crate.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Arrow, Graph};

/// Each circle in words: its files, and the lines that tie it.
pub(super) fn circles(graph: &Graph) -> Vec<String> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for arrow in &graph.arrows {
        next.entry(&arrow.from).or_default().insert(&arrow.to);
    }
    let reach: BTreeMap<&str, BTreeSet<&str>> = next
        .keys()
        .map(|file| (*file, reach(file, &next)))
        .collect();
    let meets = |one: &str, other: &str| {
        let reaches = |from: &str, to: &str| reach.get(from).is_some_and(|it| it.contains(to));
        reaches(one, other) && reaches(other, one)
    };
    let mut found = BTreeSet::new();
    let mut circles = Vec::new();
    for file in next.keys() {
        let circle: BTreeSet<&str> = next.keys().copied().filter(|it| meets(file, it)).collect();
        if circle.is_empty() || !found.insert(circle.clone()) {
            continue;
        }
        let ties = graph
            .arrows
            .iter()
            .filter(|it| circle.contains(&*it.from) && circle.contains(&*it.to));
        let lines = ties.map(
            |Arrow {
                 from,
                 line,
                 to,
                 name,
             }| format!("  {from}:{line} names {name} of {to}"),
        );
        let lines: Vec<String> = lines.collect();
        circles.push(format!(
            "a circle of {} files:\n{}",
            circle.len(),
            lines.join("\n")
        ));
    }
    circles
}

/// Every file that arrows lead to from `file`, in any number of steps.
fn reach<'a>(file: &str, next: &BTreeMap<&str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![file]);
    while let Some(file) = left.pop() {
        for to in next.get(file).into_iter().flatten() {
            if seen.insert(*to) {
                left.push(to);
            }
        }
    }
    seen
}
