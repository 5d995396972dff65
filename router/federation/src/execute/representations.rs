//! Representations: how a subgraph learns which entities it should complete.
//!
//! Built as bytes and compared as bytes: an entity that appears many times is one representation with many slots. An
//! entity without any complete key is left out, since no subgraph could find it; a null among required fields is sent.

use indexmap::IndexMap;

use crate::execute::store::{Slot, Store, Value, field};
use crate::graph::TypeTable;
use crate::plan::compile::{BatchPlan, PathElement, Require};
use crate::shape::Key;

/// Distinct representations, each with the slots that its entity belongs into.
pub(crate) type Representations = IndexMap<Box<[u8]>, Vec<Slot>>;

/// Collects the representations of a batch from the data so far.
pub(crate) fn collect(
    store: &Store,
    types: &TypeTable,
    subgraph: &str,
    batch: &BatchPlan,
) -> Representations {
    let mut found = Representations::new();
    for path in &batch.paths {
        each_object(store, types, path, &mut |slot, object| {
            let builder = Builder {
                store,
                types,
                subgraph,
                batch,
            };
            if let Some(bytes) = builder.build(object) {
                found.entry(bytes.into()).or_default().push(slot.clone());
            }
        });
    }
    found
}

/// The slots of all objects at the end of a path.
pub(crate) fn slots(store: &Store, types: &TypeTable, path: &[PathElement]) -> Vec<Slot> {
    let mut slots = Vec::new();
    each_object(store, types, path, &mut |slot, _| slots.push(slot.clone()));
    slots
}

fn each_object(
    store: &Store,
    types: &TypeTable,
    path: &[PathElement],
    visit: &mut impl FnMut(&Slot, &[(Key, Value)]),
) {
    walk(store, types, &store.root, path, &mut Slot::new(), visit);
}

fn walk(
    store: &Store,
    types: &TypeTable,
    value: &Value,
    path: &[PathElement],
    slot: &mut Slot,
    visit: &mut impl FnMut(&Slot, &[(Key, Value)]),
) {
    match value {
        Value::Null | Value::Leaf(_) => {}
        Value::List(items) => {
            let rest = match path.first() {
                Some(PathElement::List) => &path[1..],
                _ => path,
            };
            for (position, item) in (0_u32..).zip(items) {
                slot.push(position);
                walk(store, types, item, rest, slot, visit);
                slot.pop();
            }
        }
        Value::Object(fields) => match path.first() {
            None => visit(slot, fields),
            Some(PathElement::List) => walk(store, types, value, &path[1..], slot, visit),
            Some(PathElement::Types(wanted)) => {
                let fits = |name| wanted.iter().any(|wanted| types.satisfies(name, wanted));
                if store.typename(fields).is_none_or(fits) {
                    walk(store, types, value, &path[1..], slot, visit);
                }
            }
            Some(PathElement::Field(key)) => {
                let mut positions = (0_u32..).zip(fields);
                if let Some((position, (_, next))) = positions.find(|(_, (name, _))| name == key) {
                    slot.push(position);
                    walk(store, types, next, &path[1..], slot, visit);
                    slot.pop();
                }
            }
        },
    }
}

struct Builder<'a> {
    store: &'a Store,
    types: &'a TypeTable,
    subgraph: &'a str,
    batch: &'a BatchPlan,
}

impl Builder<'_> {
    fn build(&self, object: &[(Key, Value)]) -> Option<Vec<u8>> {
        let typename = self
            .store
            .typename(object)
            .or_else(|| self.only_condition())?;
        let sent = self.sent_typename(typename);
        let mut out = Vec::with_capacity(64);
        out.extend(br#"{"__typename":""#);
        out.extend(sent.as_bytes());
        out.push(b'"');
        let mut written = vec!["__typename"];
        self.fields(
            &self.batch.requires,
            object,
            typename,
            &mut written,
            &mut out,
        );
        out.push(b'}');
        self.has_key(object, typename, sent).then_some(out)
    }

    /// The type that all of the batch is about, if it is about one.
    fn only_condition(&self) -> Option<&str> {
        match self.batch.requires.as_slice() {
            [Require::On { condition, .. }] => Some(condition),
            _ => None,
        }
    }

    fn sent_typename<'t>(&'t self, typename: &'t str) -> &'t str {
        let fits = |types: &std::collections::BTreeSet<String>| {
            types.is_empty() || types.iter().any(|ty| self.types.satisfies(typename, ty))
        };
        let setter = self.batch.typenames.iter().find(|(types, _)| fits(types));
        setter.map_or(typename, |(_, sent)| sent)
    }

    fn fields<'b>(
        &self,
        requires: &'b [Require],
        object: &[(Key, Value)],
        typename: &str,
        written: &mut Vec<&'b str>,
        out: &mut Vec<u8>,
    ) {
        for require in requires {
            match require {
                Require::On {
                    condition,
                    children,
                } => {
                    if self.types.satisfies(typename, condition) {
                        self.fields(children, object, typename, written, out);
                    }
                }
                Require::Field {
                    key,
                    quoted,
                    name,
                    children,
                } => {
                    let Some(value) = field(object, *key) else {
                        continue;
                    };
                    if written.contains(&&**name) {
                        continue;
                    }
                    if out.last() != Some(&b'{') {
                        out.push(b',');
                    }
                    written.push(name);
                    out.extend(&**quoted);
                    self.value(value, children, out);
                }
            }
        }
    }

    fn value(&self, value: &Value, children: &[Require], out: &mut Vec<u8>) {
        match value {
            Value::Null => out.extend(b"null"),
            Value::Leaf(span) => out.extend(self.store.bytes(*span)),
            Value::List(items) => {
                out.push(b'[');
                for (position, item) in items.iter().enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    self.value(item, children, out);
                }
                out.push(b']');
            }
            Value::Object(fields) => {
                let typename = self.store.typename(fields).unwrap_or_default();
                out.push(b'{');
                self.fields(children, fields, typename, &mut Vec::new(), out);
                out.push(b'}');
            }
        }
    }

    /// Whether a key that the representation could carry is complete.
    fn has_key(&self, object: &[(Key, Value)], typename: &str, sent: &str) -> bool {
        let mut asked = Vec::new();
        names(&self.batch.requires, self.types, typename, &mut asked);
        let keys = self.types.keys(self.subgraph, sent);
        let mut possible = keys
            .iter()
            .filter(|key| {
                key.iter()
                    .all(|name| asked.iter().any(|(asked, _)| *asked == name))
            })
            .peekable();
        if possible.peek().is_none() {
            return true;
        }
        let is_there = |name: &String| {
            let key = asked
                .iter()
                .find(|(asked, _)| *asked == name)
                .map(|(_, key)| *key);
            let value = key.and_then(|key| field(object, key));
            value.is_some_and(|value| *value != Value::Null)
        };
        possible.any(|key| key.iter().all(is_there))
    }
}

fn names<'b>(
    requires: &'b [Require],
    types: &TypeTable,
    typename: &str,
    out: &mut Vec<(&'b str, Key)>,
) {
    for require in requires {
        match require {
            Require::Field { key, name, .. } => out.push((name, *key)),
            Require::On {
                condition,
                children,
            } => {
                if types.satisfies(typename, condition) {
                    names(children, types, typename, out);
                }
            }
        }
    }
}
