//! Representations: how a subgraph learns which entities it should complete.
//!
//! Built as bytes and compared as bytes: an entity that appears many times is one representation with many slots. An
//! entity without any complete key is left out, since no subgraph could find it, and one of a type that nothing is asked of;
//! a null among required fields is sent.

use ahash::RandomState;
use indexmap::IndexMap;
use smallvec::SmallVec;

use crate::execute::places::objects;
use crate::execute::store::{ObjectId, Store, Value, field};
use crate::graph::TypeTable;
use crate::plan::compile::{BatchPlan, Require};
use crate::shape::Key;

/// Distinct representations, each with the objects that its entity belongs into.
pub(crate) type Representations = IndexMap<Box<[u8]>, Asked, RandomState>;

/// Where an entity belongs.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The objects.
    pub(crate) objects: Vec<ObjectId>,
    /// At how many places they are.
    pub(crate) places: u64,
}

/// Collects the representations of a batch from the data so far.
pub(crate) fn collect(
    store: &Store,
    types: &TypeTable,
    subgraph: &str,
    batch: &BatchPlan,
) -> Representations {
    let mut found = Representations::default();
    let mut builder = Builder {
        store,
        types,
        subgraph,
        batch,
        known: SmallVec::new(),
    };
    // Many objects are of an entity that another is of, too, so nothing is allocated but for a new one.
    let mut bytes = Vec::with_capacity(256);
    for path in &batch.paths {
        for (object, places) in objects(store, types, path) {
            bytes.clear();
            if !builder.build(store.fields(object), &mut bytes) {
                continue;
            }
            let asked = match found.get_mut(&*bytes) {
                Some(asked) => asked,
                None => found.entry(bytes.as_slice().into()).or_default(),
            };
            asked.objects.push(object);
            asked.places = asked.places.saturating_add(places);
        }
    }
    found
}

struct Builder<'a> {
    store: &'a Store,
    types: &'a TypeTable,
    subgraph: &'a str,
    batch: &'a BatchPlan,
    /// Types met lately.
    known: SmallVec<[EntityType<'a>; 2]>,
}

/// What there is to know of an entity by its type alone.
struct EntityType<'a> {
    name: &'a str,
    /// `{"__typename":"…"`, the start of its representations.
    start: Vec<u8>,
    /// Whether the batch asks anything of the type.
    is_asked: bool,
    /// What follows.
    parts: Parts<'a>,
    /// The keys that a representation could carry; none when any representation will do.
    keys: Vec<Vec<Key>>,
}

/// The fields that an object of one type gives to a representation.
type Parts<'a> = SmallVec<[Part<'a>; 8]>;

struct Part<'a> {
    key: Key,
    quoted: &'a [u8],
    name: &'a str,
    children: &'a [Require],
    /// Whether a part of the same name stands before it: the first that an object has is taken.
    is_repeated: bool,
}

/// So many types are remembered: a subgraph that invents names must not make each of them be compared with all.
const KNOWN_MAX: usize = 32;

impl<'a> Builder<'a> {
    /// Writes the representation of an object; false when nothing is asked of its type, or it has no complete key.
    fn build(&mut self, object: &'a [(Key, Value)], out: &mut Vec<u8>) -> bool {
        let typename = self.store.typename_bytes(object);
        let typename = typename.or_else(|| self.only_condition().map(str::as_bytes));
        let Some(position) = typename.and_then(|typename| self.entity_type(typename)) else {
            return false;
        };
        let ty = &self.known[position];
        let is_there = |key: &Key| field(object, *key).is_some_and(|it| *it != Value::Null);
        let is_complete = |key: &Vec<Key>| key.iter().all(is_there);
        if !ty.is_asked || !ty.keys.is_empty() && !ty.keys.iter().any(is_complete) {
            return false;
        }
        out.extend(&*ty.start);
        self.fields(&ty.parts, object, out);
        out.push(b'}');
        true
    }

    /// The type that all of the batch is about, if it is about one.
    fn only_condition(&self) -> Option<&'a str> {
        match self.batch.requires.as_slice() {
            [Require::On { condition, .. }] => Some(condition),
            _ => None,
        }
    }

    /// The position of a type among those that are known; none for a name that is no text.
    fn entity_type(&mut self, name: &'a [u8]) -> Option<usize> {
        let known = self.known.iter();
        let position = known.clone().position(|it| it.name.as_bytes() == name);
        if position.is_some() {
            return position;
        }
        let name = std::str::from_utf8(name).ok()?;
        if known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        let sent = self.sent_typename(name);
        let mut parts = Parts::new();
        collect_parts(&self.batch.requires, self.types, name, &mut parts);
        let key_of = |name: &String| {
            let found = parts.iter().find(|part| part.name == name);
            found.map(|part| part.key)
        };
        let keys = self.types.keys(self.subgraph, sent).iter();
        // A key with a field that no representation carries proves nothing.
        let keys = keys.filter_map(|key| key.iter().map(key_of).collect());
        let keys = keys.collect();
        let is_asked = !parts.is_empty();
        parts.retain(|part| part.name != "__typename");
        self.known.push(EntityType {
            name,
            start: [br#"{"__typename":""#, sent.as_bytes(), b"\""].concat(),
            is_asked,
            parts,
            keys,
        });
        Some(self.known.len() - 1)
    }

    fn sent_typename<'t>(&'t self, typename: &'t str) -> &'t str {
        let fits = |types: &std::collections::BTreeSet<String>| {
            types.is_empty() || types.iter().any(|ty| self.types.satisfies(typename, ty))
        };
        let setter = self.batch.typenames.iter().find(|(types, _)| fits(types));
        setter.map_or(typename, |(_, sent)| sent)
    }

    fn fields(&self, parts: &[Part<'_>], object: &[(Key, Value)], out: &mut Vec<u8>) {
        for (position, part) in parts.iter().enumerate() {
            let Some(value) = field(object, part.key) else {
                continue;
            };
            let is_written =
                |before: &Part<'_>| before.name == part.name && field(object, before.key).is_some();
            if part.is_repeated && parts[..position].iter().any(is_written) {
                continue;
            }
            if out.last() != Some(&b'{') {
                out.push(b',');
            }
            out.extend(part.quoted);
            self.value(value, part.children, out);
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
            Value::Object(id) => {
                let fields = self.store.fields(*id);
                let typename = self.store.typename(fields).unwrap_or_default();
                let mut parts = Parts::new();
                collect_parts(children, self.types, typename, &mut parts);
                out.push(b'{');
                self.fields(&parts, fields, out);
                out.push(b'}');
            }
        }
    }
}

fn collect_parts<'b>(
    requires: &'b [Require],
    types: &TypeTable,
    typename: &str,
    out: &mut Parts<'b>,
) {
    for require in requires {
        match require {
            Require::Field {
                key,
                quoted,
                name,
                children,
            } => {
                let is_repeated = out.iter().any(|part| part.name == &**name);
                out.push(Part {
                    key: *key,
                    quoted,
                    name,
                    children,
                    is_repeated,
                });
            }
            Require::On {
                condition,
                children,
            } => {
                if types.satisfies(typename, condition) {
                    collect_parts(children, types, typename, out);
                }
            }
        }
    }
}
