//! Fetches with the true names of required fields, where the planner planned with made-up ones.
//!
//! A made-up name stays as a response key: what was read under it is sent on under the true name. One representation takes
//! a name once, so what one batch of entities asks on two values of a name becomes two batches of the same request.

use std::collections::BTreeSet;

use crate::graph::Requirements;
use crate::plan::error::PlanError;
use crate::plan::node::{Batch, Fetch, Selection, Target};

/// Gives a fetch the true names.
///
/// # Errors
/// [`PlanError::Unsupported`] when a single field requires another one twice, with different arguments.
pub(crate) fn restore(fetch: &mut Fetch, requirements: &Requirements) -> Result<(), PlanError> {
    let mut is_changed = rename_read(&mut fetch.selection, requirements);
    if let Target::Entities(batches) = &mut fetch.target {
        for batch in batches.iter_mut() {
            rename_sent(&mut batch.requires, requirements);
        }
        if batches.iter().any(|batch| is_ambiguous(&batch.requires)) {
            split(fetch, requirements)?;
            is_changed = true;
        }
    }
    if is_changed {
        fetch.write_text();
    }
    Ok(())
}

/// In what is asked, the made-up name becomes the response key.
fn rename_read(selection: &mut [Selection], requirements: &Requirements) -> bool {
    let mut is_changed = false;
    for item in selection {
        is_changed |= match item {
            Selection::Field {
                name,
                alias,
                children,
                ..
            } => {
                let own = requirements.own_name(name);
                if let Some(own) = own {
                    let made = std::mem::replace(name, own.to_owned());
                    alias.get_or_insert(made);
                }
                own.is_some() | rename_read(children, requirements)
            }
            Selection::On { children, .. } => rename_read(children, requirements),
        };
    }
    is_changed
}

/// In a representation, a name says where the value is read, and an alias what it is sent as.
fn rename_sent(selection: &mut [Selection], requirements: &Requirements) {
    for item in selection {
        match item {
            Selection::Field {
                name,
                alias,
                children,
                ..
            } => {
                let sent = requirements.own_name(alias.as_ref().unwrap_or(name));
                if let Some(sent) = sent {
                    *alias = Some(sent.to_owned());
                }
                rename_sent(children, requirements);
            }
            Selection::On { children, .. } => rename_sent(children, requirements),
        }
    }
}

/// Whether one name would take two values.
fn is_ambiguous(requires: &[Selection]) -> bool {
    fn collect<'a>(
        items: &'a [Selection],
        condition: Option<&'a str>,
        into: &mut Vec<(Option<&'a str>, &'a str, &'a str)>,
    ) -> bool {
        items.iter().any(|item| match item {
            Selection::Field {
                name,
                alias,
                children,
                ..
            } => {
                let sent = alias.as_deref().unwrap_or(name);
                let meets = |other: &Option<&str>| {
                    condition.is_none() || other.is_none() || *other == condition
                };
                let is_other = into
                    .iter()
                    .any(|(other, known, read)| *known == sent && read != name && meets(other));
                into.push((condition, sent, name));
                is_other || is_ambiguous(children)
            }
            Selection::On {
                condition: inner,
                children,
            } => collect(children, Some(inner), into),
        })
    }
    collect(requires, None, &mut Vec::new())
}

/// Some of a batch's fields with the made-up names that they require.
#[derive(Default)]
struct Part {
    needs: BTreeSet<String>,
    selection: Vec<Selection>,
}

fn split(fetch: &mut Fetch, requirements: &Requirements) -> Result<(), PlanError> {
    let Target::Entities(batches) = &mut fetch.target else {
        return Ok(());
    };
    let mut split = Vec::new();
    for batch in std::mem::take(batches) {
        let root = root_of(&mut fetch.selection, &batch.alias)?;
        if !is_ambiguous(&batch.requires) {
            fetch.selection.push(root);
            split.push(batch);
            continue;
        }
        let Selection::Field { children, .. } = root else {
            continue;
        };
        let declared = format!("${}:", batch.variable);
        fetch
            .declarations
            .retain(|text| !text.starts_with(&declared));
        let parts = parts(&fetch.subgraph, &batch, children, requirements)?;
        for (position, part) in parts.into_iter().enumerate() {
            let name = format!("{}_{position}", batch.alias);
            let variable = format!("representations_{}", split.len());
            fetch.declarations.push(format!("${variable}:[_Any!]!"));
            fetch.selection.push(Selection::Field {
                name: "_entities".to_owned(),
                alias: Some(name.clone()),
                arguments: format!("representations: ${variable}"),
                children: part.selection,
            });
            split.push(Batch {
                alias: name,
                variable,
                requires: only(&batch.requires, &part.needs, requirements),
                ..batch.clone()
            });
        }
    }
    *batches = split;
    Ok(())
}

/// Takes a root field out of a selection.
fn root_of(selection: &mut Vec<Selection>, key: &str) -> Result<Selection, PlanError> {
    let found = selection.iter().position(|item| item.key() == Some(key));
    let found = found.ok_or(PlanError::Unsupported("a batch without its field"))?;
    Ok(selection.remove(found))
}

/// Deals out the fields of a batch, each to the first part where no name would take two values.
fn parts(
    subgraph: &str,
    batch: &Batch,
    selection: Vec<Selection>,
    requirements: &Requirements,
) -> Result<Vec<Part>, PlanError> {
    let mut parts = vec![Part::default()];
    for (condition, field) in flat(selection) {
        let needs = match (&condition, &field) {
            (Some(ty), Selection::Field { name, .. }) => requirements.of(subgraph, ty, name),
            _ => None,
        };
        let joined = |part: &Part| -> BTreeSet<String> {
            let own = needs.into_iter().flatten();
            part.needs.iter().chain(own).cloned().collect()
        };
        let fits = |part: &Part| !is_ambiguous(&only(&batch.requires, &joined(part), requirements));
        let found = match parts.iter().position(fits) {
            Some(found) => found,
            None if fits(&Part::default()) => {
                parts.push(Part::default());
                parts.len() - 1
            }
            None => {
                let text = "a field that requires another one twice, with different arguments";
                return Err(PlanError::Unsupported(text));
            }
        };
        let needs = joined(&parts[found]);
        parts[found].needs = needs;
        parts[found].add(condition, field);
    }
    Ok(parts)
}

impl Part {
    fn add(&mut self, condition: Option<String>, field: Selection) {
        let Some(wanted) = condition else {
            self.selection.push(field);
            return;
        };
        for item in &mut self.selection {
            if let Selection::On {
                condition,
                children,
            } = item
                && *condition == wanted
            {
                children.push(field);
                return;
            }
        }
        self.selection.push(Selection::On {
            condition: wanted,
            children: vec![field],
        });
    }
}

/// The fields of a selection, each with the type that it is asked of.
fn flat(selection: Vec<Selection>) -> Vec<(Option<String>, Selection)> {
    let mut fields = Vec::new();
    for item in selection {
        match item {
            Selection::On {
                condition,
                children,
            } => {
                for (inner, field) in flat(children) {
                    fields.push((inner.or_else(|| Some(condition.clone())), field));
                }
            }
            field @ Selection::Field { .. } => fields.push((None, field)),
        }
    }
    fields
}

/// A representation with those of the made-up fields that are needed.
fn only(
    requires: &[Selection],
    needs: &BTreeSet<String>,
    requirements: &Requirements,
) -> Vec<Selection> {
    let keep = |item: &Selection| {
        let mut item = item.clone();
        let children = item.children_mut();
        let had_children = !children.is_empty();
        *children = only(children, needs, requirements);
        let is_emptied = had_children && children.is_empty();
        let is_needed = match &item {
            Selection::Field { name, .. } => {
                requirements.own_name(name).is_none() || needs.contains(name)
            }
            Selection::On { .. } => true,
        };
        (is_needed && !is_emptied).then_some(item)
    };
    requires.iter().filter_map(keep).collect()
}
