//! Which fetches of a plan wait for which: each for those whose data it reads, and for no other.
//!
//! The planner gives waves, which say only that nothing in a wave waits for anything in a later one. What a fetch reads and
//! what it brings are paths of the response, by its keys: lists and type conditions are left out, so that two fetches may be
//! taken for dependent that are not, and never the other way round.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::plan::node::{Fetch, PathStep, Rename, Selection, Target};
use crate::request::OperationKind;

/// For each fetch, in the order of the waves, the positions of those that it starts after. Those that another one of them
/// starts after are left out.
pub(crate) fn dependencies(waves: &[Vec<Fetch>]) -> Vec<Vec<usize>> {
    let mut before = Before::default();
    let mut all: Vec<Vec<usize>> = Vec::new();
    let mut ancestors: Vec<BTreeSet<usize>> = Vec::new();
    for wave in waves {
        let first = all.len();
        for fetch in wave {
            let after = before.of(fetch, first);
            let above = after.iter().flat_map(|position| &ancestors[*position]);
            let above: BTreeSet<usize> = above.copied().collect();
            all.push(after.difference(&above).copied().collect());
            ancestors.push(&above | &after);
        }
        for (position, fetch) in (first..).zip(wave) {
            before.add(position, fetch);
        }
    }
    all
}

/// The fetches of the waves so far.
#[derive(Default)]
struct Before {
    /// Who brings what.
    writers: HashMap<String, Vec<usize>>,
    /// Who asks for the same fields of entities: of the same entities they are asked for once.
    asking: HashMap<String, Vec<usize>>,
    mutations: Vec<usize>,
}

impl Before {
    /// Those that a fetch starts after, of so many.
    fn of(&self, fetch: &Fetch, count: usize) -> BTreeSet<usize> {
        let mut after: BTreeSet<usize> = self.mutations.iter().copied().collect();
        for path in reads(fetch) {
            match self.writers.get(&path) {
                Some(writers) => after.extend(writers),
                None if path.ends_with(TYPENAME) => {}
                // Whoever brings it calls it otherwise.
                None => return (0..count).collect(),
            }
        }
        for question in questions(fetch) {
            after.extend(self.asking.get(&question).into_iter().flatten());
        }
        after
    }

    fn add(&mut self, position: usize, fetch: &Fetch) {
        for path in written(fetch) {
            self.writers.entry(path).or_default().push(position);
        }
        for question in questions(fetch) {
            self.asking.entry(question).or_default().push(position);
        }
        if fetch.kind == OperationKind::Mutation {
            self.mutations.push(position);
        }
    }
}

const TYPENAME: &str = ".__typename";

fn questions(fetch: &Fetch) -> impl Iterator<Item = String> {
    let batches = fetch.batches().iter();
    batches.map(|batch| fetch.question(&batch.alias))
}

/// The paths of all fields of the response that a fetch brings.
pub(super) fn written(fetch: &Fetch) -> HashSet<String> {
    let mut paths = HashSet::new();
    match &fetch.target {
        Target::Root => {
            paths.extend(brought("", &fetch.selection, &fetch.renames));
        }
        Target::Path(path) => {
            let base = lead(path, &mut HashSet::new());
            paths.extend(brought(&base, &fetch.selection, &fetch.renames));
        }
        Target::Entities(batches) => {
            for batch in batches {
                let asked = fetch.asked(&batch.alias);
                for path in &batch.paths {
                    let base = lead(path, &mut HashSet::new());
                    paths.extend(brought(&base, asked, &batch.renames));
                }
            }
        }
    }
    paths
}

/// The paths of what is selected of the object at a path, under the names that the response has for it.
fn brought(base: &str, selection: &[Selection], renames: &[Rename]) -> HashSet<String> {
    let mut paths = HashSet::new();
    collect(selection, base, &Selection::key, &mut paths);
    for rename in renames {
        let from = base.to_owned() + &lead(&rename.path, &mut HashSet::new());
        let Some((above, _)) = from.rsplit_once('.') else {
            continue;
        };
        let renamed = paths.iter().filter_map(|path| {
            let rest = path.strip_prefix(&from)?;
            let is_it = rest.is_empty() || rest.starts_with('.');
            is_it.then(|| format!("{above}.{}{rest}", rename.to))
        });
        let renamed: Vec<_> = renamed.collect();
        paths.extend(renamed);
    }
    paths
}

/// The paths of all fields of the response that a fetch needs: its representations, and what leads to them.
pub(super) fn reads(fetch: &Fetch) -> HashSet<String> {
    let mut found = HashSet::new();
    match &fetch.target {
        Target::Root => {}
        Target::Path(path) => {
            lead(path, &mut found);
        }
        Target::Entities(batches) => {
            for batch in batches {
                for path in &batch.paths {
                    let base = lead(path, &mut found);
                    found.insert(format!("{base}{TYPENAME}"));
                    // In a representation the name says where a value is read.
                    collect(&batch.requires, &base, &Selection::name, &mut found);
                }
            }
        }
    }
    found
}

/// A path, whose every part is found on the way.
fn lead(path: &[PathStep], found: &mut HashSet<String>) -> String {
    let mut at = String::new();
    for step in path {
        match step {
            PathStep::Field(key) => {
                at.push('.');
                at.push_str(key);
                found.insert(at.clone());
            }
            PathStep::Types(_) => {
                found.insert(format!("{at}{TYPENAME}"));
            }
            PathStep::List => {}
        }
    }
    at
}

fn collect(
    selection: &[Selection],
    base: &str,
    named: &impl Fn(&Selection) -> Option<&str>,
    into: &mut HashSet<String>,
) {
    for item in selection {
        match named(item) {
            Some(name) => {
                let path = format!("{base}.{name}");
                collect(item.children(), &path, named, into);
                into.insert(path);
            }
            None => collect(item.children(), base, named, into),
        }
    }
}

#[cfg(test)]
#[path = "dependencies_tests.rs"]
mod tests;
