//! Names that the planner gave fields of one fetch, undone: it renames a field where a subgraph's types would conflict,
//! and everything after the fetch knows the field by its own key.

use crate::execute::store::{ObjectId, Store, Value, each_object, field};
use crate::graph::TypeTable;
use crate::plan::compile::{PathElement, RenamePlan};

/// Gives the fields of a value their own keys back.
///
/// `value` is what the paths of `renames` begin at: the data of a fetch, or one of its entities.
pub(super) fn rename(types: &TypeTable, store: &mut Store, value: &Value, renames: &[RenamePlan]) {
    for plan in renames {
        below(types, store, value, &plan.path, plan);
    }
}

fn below(
    types: &TypeTable,
    store: &mut Store,
    value: &Value,
    path: &[PathElement],
    plan: &RenamePlan,
) {
    let mut objects = Vec::new();
    each_object(value, &mut |object| objects.push(object));
    for object in objects {
        of_object(types, store, object, path, plan);
    }
}

fn of_object(
    types: &TypeTable,
    store: &mut Store,
    object: ObjectId,
    path: &[PathElement],
    plan: &RenamePlan,
) {
    match path.split_first() {
        None => store.rename(object, plan.from, plan.to),
        Some((PathElement::List, rest)) => of_object(types, store, object, rest, plan),
        Some((PathElement::Types(wanted), rest)) => {
            let fits = |name| wanted.iter().any(|wanted| types.satisfies(name, wanted));
            if store.typename(store.fields(object)).is_none_or(fits) {
                of_object(types, store, object, rest, plan);
            }
        }
        Some((PathElement::Field(next), rest)) => {
            if let Some(inner) = field(store.fields(object), *next).cloned() {
                below(types, store, &inner, rest, plan);
            }
        }
    }
}
