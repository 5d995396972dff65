//! Paths of a plan through the data: to the objects at their ends, each once, and to all places of these.

use std::collections::HashMap;

use ahash::RandomState;

use crate::execute::store::{ObjectId, Slot, Store, Value, each_object, field};
use crate::graph::TypeTable;
use crate::plan::compile::PathElement;
use crate::shape::Key;

/// The objects at the end of a path, each with the number of the places where it is.
pub(crate) fn objects(
    store: &Store,
    types: &TypeTable,
    path: &[PathElement],
) -> Vec<(ObjectId, u64)> {
    let mut here = Vec::new();
    each_object(&store.root, &mut |root| here.push((root, 1)));
    for element in path {
        match element {
            // Objects are found in lists however deep these are.
            PathElement::List => {}
            PathElement::Types(_) => {
                here.retain(|(object, _)| is_of(store, types, store.fields(*object), element));
            }
            PathElement::Field(key) => here = below(store, &here, *key),
        }
    }
    here
}

/// The objects in a field of others.
fn below(store: &Store, above: &[(ObjectId, u64)], key: Key) -> Vec<(ObjectId, u64)> {
    let mut found: Vec<(ObjectId, u64)> = Vec::with_capacity(above.len());
    let mut shared: HashMap<ObjectId, usize, RandomState> = HashMap::default();
    for (object, places) in above {
        let Some(value) = field(store.fields(*object), key) else {
            continue;
        };
        each_object(value, &mut |object| {
            if store.is_shared(object) {
                let position = *shared.entry(object).or_insert(found.len());
                if let Some((_, known)) = found.get_mut(position) {
                    *known = known.saturating_add(*places);
                    return;
                }
            }
            found.push((object, *places));
        });
    }
    found
}

/// Whether an object goes on along a path that is for some types only.
fn is_of(store: &Store, types: &TypeTable, fields: &[(Key, Value)], element: &PathElement) -> bool {
    let PathElement::Types(wanted) = element else {
        return true;
    };
    let is_named = |name: &[u8]| wanted.iter().any(|it| it.as_bytes() == name);
    let fits = |name| wanted.iter().any(|wanted| types.satisfies(name, wanted));
    store.typename_bytes(fields).is_none_or(is_named) || store.typename(fields).is_none_or(fits)
}

/// Calls for each place at the end of a path, with the object there.
pub(crate) fn each_place(
    store: &Store,
    types: &TypeTable,
    path: &[PathElement],
    visit: &mut impl FnMut(&Slot, ObjectId),
) {
    walk(store, types, &store.root, path, &mut Slot::new(), visit);
}

fn walk(
    store: &Store,
    types: &TypeTable,
    value: &Value,
    path: &[PathElement],
    slot: &mut Slot,
    visit: &mut impl FnMut(&Slot, ObjectId),
) {
    match value {
        Value::Null | Value::Leaf(_) => {}
        Value::List(items) => {
            for (position, item) in (0_u32..).zip(items) {
                slot.push(position);
                walk(store, types, item, path, slot, visit);
                slot.pop();
            }
        }
        Value::Object(id) => {
            let fields = store.fields(*id);
            match path.split_first() {
                None => visit(slot, *id),
                Some((PathElement::Field(key), rest)) => {
                    let mut positions = (0_u32..).zip(fields);
                    if let Some((position, (_, next))) =
                        positions.find(|(_, (name, _))| name == key)
                    {
                        slot.push(position);
                        walk(store, types, next, rest, slot, visit);
                        slot.pop();
                    }
                }
                Some((element, rest)) => {
                    if is_of(store, types, fields, element) {
                        walk(store, types, value, rest, slot, visit);
                    }
                }
            }
        }
    }
}
