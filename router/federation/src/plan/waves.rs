//! The waves of a plan as the planner thinks of them, with fewer requests where that costs no wave.
//!
//! Two things that the planner does not see: a fetch to the subgraph that the object came from in the first place, and two
//! fetches to one subgraph in different waves of which the first is in no hurry.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::graph::TypeTable;
use crate::plan::dependencies::{reads, written};
use crate::plan::node::{Batch, Fetch, PathStep, PlanNode, Selection, Target};
use crate::request::OperationKind;

/// Cuts a plan into waves: nothing in a wave waits for anything of the same or of a later one.
pub(crate) fn waves(plan: PlanNode, types: &TypeTable) -> Vec<Vec<Fetch>> {
    let mut waves = plan.into_waves();
    if waves.len() > 2 {
        read_at_once(&mut waves, types);
        ask_together(&mut waves);
        waves.retain(|wave| !wave.is_empty());
    }
    waves
}

/// Where a subgraph knows an interface as an object, it need not know the true type to answer for it: what is asked for some
/// of the objects, after another subgraph told their types, is asked for all of them when they are first read.
fn read_at_once(waves: &mut [Vec<Fetch>], types: &TypeTable) {
    for later in (1..waves.len()).rev() {
        let (before, rest) = waves.split_at_mut(later);
        let Some(wave) = rest.first_mut() else { return };
        for fetch in wave.iter_mut() {
            let earlier = before.iter_mut().flatten();
            let mut same: Vec<_> = earlier
                .filter(|other| {
                    other.subgraph == fetch.subgraph && other.kind != OperationKind::Subscription
                })
                .collect();
            let found = same
                .iter_mut()
                .find_map(|earlier| answers_at_once(fetch, earlier, types).then_some(earlier));
            if let Some(earlier) = found {
                move_into(fetch, earlier);
            }
        }
        wave.retain(|fetch| !fetch.selection.is_empty());
    }
}

/// Whether an earlier fetch reads all objects that a later one asks for by their keys alone.
fn answers_at_once(fetch: &Fetch, earlier: &mut Fetch, types: &TypeTable) -> bool {
    let Target::Entities(batches) = &fetch.target else {
        return false;
    };
    let needs_keys_alone = |batch: &Batch| {
        let [(_, interface)] = batch.typenames.as_slice() else {
            return false;
        };
        let keys = types.keys(&fetch.subgraph, interface).iter().flatten();
        let keys: BTreeSet<_> = keys.map(String::as_str).collect();
        let of_interface = |item: &Selection| matches!(item, Selection::On { condition, .. } if condition == interface);
        batch.renames.is_empty()
            && fields(&batch.requires)
                .iter()
                .all(|&name| name == "__typename" || keys.contains(name))
            && fetch.asked(&batch.alias).iter().all(of_interface)
    };
    batches.iter().all(needs_keys_alone)
        && batches
            .iter()
            .flat_map(|batch| &batch.paths)
            .all(|path| place(earlier, path).is_some())
}

fn move_into(fetch: &mut Fetch, earlier: &mut Fetch) {
    let Target::Entities(batches) = &fetch.target else {
        return;
    };
    for batch in batches {
        let children = fetch.asked(&batch.alias);
        for path in &batch.paths {
            if let Some(place) = place(earlier, path) {
                place.extend_from_slice(children);
            }
        }
    }
    adopt(earlier, fetch, batches);
    fetch.selection.clear();
    earlier.write_text();
}

/// A fetch of entities waits for a later one to the same subgraph, where nothing up to that one reads what it brings, and
/// the later one asks for something else: what was read before of the same entities is not asked for again.
fn ask_together(waves: &mut [Vec<Fetch>]) {
    for first in 0..waves.len() {
        let mut at = 0;
        while at < waves[first].len() {
            match partner(waves, first, at) {
                Some((wave, position)) => {
                    let fetch = waves[first].remove(at);
                    join(&mut waves[wave][position], fetch);
                }
                None => at += 1,
            }
        }
    }
}

/// The wave and position of a fetch that another one may be sent with.
fn partner(waves: &[Vec<Fetch>], first: usize, at: usize) -> Option<(usize, usize)> {
    let fetch = &waves[first][at];
    let of_entities = |fetch: &Fetch| matches!(fetch.target, Target::Entities(_));
    let is_renamed = |batch: &Batch| !batch.renames.is_empty();
    let fits = |other: &Fetch| {
        other.subgraph == fetch.subgraph && of_entities(other) && !asks_for_the_same(fetch, other)
    };
    let is_alone = !waves[first + 1..].iter().flatten().any(fits);
    if !of_entities(fetch) || is_alone || fetch.batches().iter().any(is_renamed) {
        return None;
    }
    let written = written(fetch);
    for (wave, fetches) in waves.iter().enumerate().skip(first + 1) {
        let reads = |other: &Fetch| reads(other).iter().any(|path| written.contains(path));
        if fetches.iter().any(reads) {
            return None;
        }
        if let Some(position) = fetches.iter().position(fits) {
            return Some((wave, position));
        }
    }
    None
}

fn asks_for_the_same(one: &Fetch, other: &Fetch) -> bool {
    let is_same = |one: &[Selection], other: &[Selection]| {
        one.len() == other.len() && one.iter().all(|item| other.contains(item))
    };
    one.batches().iter().any(|batch| {
        let known = one.asked(&batch.alias);
        let mut batches = other.batches().iter();
        batches.any(|batch| is_same(known, other.asked(&batch.alias)))
    })
}

/// Puts the batches of a fetch beside those of another one, under names that are free there.
fn join(into: &mut Fetch, mut fetch: Fetch) {
    let Target::Entities(mut added) = std::mem::replace(&mut fetch.target, Target::Root) else {
        return;
    };
    let Target::Entities(batches) = &mut into.target else {
        return;
    };
    let all = batches.iter().chain(&added);
    let mut used: HashSet<_> = all
        .flat_map(|batch| [batch.alias.clone(), batch.variable.clone()])
        .collect();
    let mut aliases = HashMap::new();
    let mut variables = HashMap::new();
    for batch in &mut added {
        let alias = free("_e", &mut used);
        aliases.insert(std::mem::replace(&mut batch.alias, alias.clone()), alias);
        let variable = variables.entry(batch.variable.clone());
        let variable = variable.or_insert_with(|| free("representations_", &mut used));
        batch.variable.clone_from(variable);
    }
    for item in &mut fetch.selection {
        let Selection::Field {
            name,
            alias,
            arguments,
            ..
        } = item
        else {
            continue;
        };
        let key = alias.as_ref().unwrap_or(name);
        let Some(new) = aliases.get(key) else {
            continue;
        };
        let mut renamed = added.iter().filter(|batch| batch.alias == *new);
        if let Some(batch) = renamed.next() {
            *arguments = format!("representations: ${}", batch.variable);
        }
        *alias = Some(new.clone());
    }
    for text in &mut fetch.declarations {
        let mut renamed = variables.iter();
        let found = renamed.find_map(|(old, new)| {
            let ty = text.strip_prefix(&declaration(old))?;
            Some(format!("{}{ty}", declaration(new)))
        });
        if let Some(found) = found {
            *text = found;
        }
    }
    batches.append(&mut added);
    into.selection.append(&mut fetch.selection);
    adopt(into, &fetch, &[]);
    into.write_text();
}

/// The name with the first number that nothing else has.
fn free(name: &str, used: &mut HashSet<String>) -> String {
    let mut number = 0;
    loop {
        let text = format!("{name}{number}");
        if used.insert(text.clone()) {
            return text;
        }
        number += 1;
    }
}

fn declaration(variable: &str) -> String {
    format!("${variable}:")
}

/// Takes over the variables of a fetch but those of these batches.
fn adopt(into: &mut Fetch, fetch: &Fetch, without: &[Batch]) {
    for variable in &fetch.variables {
        if !into.variables.contains(variable) {
            into.variables.push(variable.clone());
        }
    }
    for text in &fetch.declarations {
        let mut batches = without.iter();
        let is_of_batch = batches.any(|batch| text.starts_with(&declaration(&batch.variable)));
        if !is_of_batch && !into.declarations.contains(text) {
            into.declarations.push(text.clone());
        }
    }
}

/// The names on the outermost level of a selection.
fn fields(selection: &[Selection]) -> Vec<&str> {
    let names = selection.iter().flat_map(|item| match item {
        Selection::Field { name, .. } => vec![name.as_str()],
        Selection::On { children, .. } => fields(children),
    });
    names.collect()
}

/// Where a fetch selects what stands at a path of the response, if it does so in one place.
fn place<'a>(fetch: &'a mut Fetch, path: &[PathStep]) -> Option<&'a mut Vec<Selection>> {
    let path: Vec<&str> = path.iter().filter_map(field).collect();
    match &fetch.target {
        Target::Root => walk(&mut fetch.selection, &path),
        Target::Path(_) => None,
        Target::Entities(batches) => {
            let (alias, rest) = batches.iter().find_map(|batch| {
                let [own] = batch.paths.as_slice() else {
                    return None;
                };
                let own: Vec<&str> = own.iter().filter_map(field).collect();
                Some((batch.alias.clone(), path.strip_prefix(own.as_slice())?))
            })?;
            let key = std::iter::once(alias.as_str());
            let path: Vec<&str> = key.chain(rest.iter().copied()).collect();
            walk(&mut fetch.selection, &path)
        }
    }
}

fn field(step: &PathStep) -> Option<&str> {
    match step {
        PathStep::Field(key) => Some(key),
        PathStep::List | PathStep::Types(_) => None,
    }
}

fn walk<'a>(selection: &'a mut Vec<Selection>, path: &[&str]) -> Option<&'a mut Vec<Selection>> {
    let Some((key, rest)) = path.split_first() else {
        return Some(selection);
    };
    let mut found = Vec::new();
    under(selection, key, &mut found);
    match found.pop() {
        Some(children) if found.is_empty() => walk(children, rest),
        _ => None,
    }
}

/// The selections of all fields with a response key, below whatever type conditions.
fn under<'a>(selection: &'a mut [Selection], key: &str, into: &mut Vec<&'a mut Vec<Selection>>) {
    for item in selection {
        match item {
            Selection::Field {
                name,
                alias,
                children,
                ..
            } if alias.as_ref().unwrap_or(name) == key => into.push(children),
            Selection::Field { .. } => {}
            Selection::On { children, .. } => under(children, key, into),
        }
    }
}

#[cfg(test)]
#[path = "waves_tests.rs"]
mod tests;
