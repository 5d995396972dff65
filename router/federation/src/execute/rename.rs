//! Names that the planner gave fields of one fetch, undone: it renames a field where a subgraph's types would conflict,
//! and everything after the fetch knows the field by its own key.

use crate::execute::store::{Store, Value, merge};
use crate::graph::TypeTable;
use crate::plan::compile::{PathElement, RenamePlan};
use crate::shape::Key;

/// Gives the fields of a value their own keys back.
///
/// `value` is what the paths of `renames` begin at: the data of a fetch, or one of its entities.
pub(super) fn rename(types: &TypeTable, store: &Store, value: &mut Value, renames: &[RenamePlan]) {
    for plan in renames {
        below(types, store, value, &plan.path, plan);
    }
}

fn below(
    types: &TypeTable,
    store: &Store,
    value: &mut Value,
    path: &[PathElement],
    plan: &RenamePlan,
) {
    match value {
        Value::Null | Value::Leaf(_) => {}
        Value::List(items) => {
            for item in items {
                below(types, store, item, path, plan);
            }
        }
        Value::Object(fields) => match path.first() {
            None => field(fields, plan.from, plan.to),
            Some(PathElement::List) => below(types, store, value, &path[1..], plan),
            Some(PathElement::Types(wanted)) => {
                let fits = |name| wanted.iter().any(|wanted| types.satisfies(name, wanted));
                if store.typename(fields).is_none_or(fits) {
                    below(types, store, value, &path[1..], plan);
                }
            }
            Some(PathElement::Field(next)) => {
                if let Some((_, inner)) = fields.iter_mut().find(|(key, _)| key == next) {
                    below(types, store, inner, &path[1..], plan);
                }
            }
        },
    }
}

/// Renames a field; where one of its new name is there too, both are one.
fn field(fields: &mut [(Key, Value)], from: Key, to: Key) {
    let Some(position) = fields.iter().position(|(key, _)| *key == from) else {
        return;
    };
    if let Some(other) = fields.iter().position(|(key, _)| *key == to) {
        let value = std::mem::replace(&mut fields[position].1, Value::Null);
        merge(&mut fields[other].1, value);
    } else {
        fields[position].0 = to;
    }
}
