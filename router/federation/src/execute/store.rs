//! The data of one request: the bytes that subgraphs sent, and objects over them.
//!
//! Leaves are never decoded. A string, a number or a custom scalar is a span of the bytes it came in and goes out
//! verbatim, so decimals and integers of any size survive. Objects stand in one arena and are referred to: those that a
//! subgraph sent many times in the same bytes are one, and so is what an entity brought to all its places. Whatever is
//! merged into an object by its own name is there at each of its places; what a place alone brings is merged into a copy.

use std::collections::HashMap;

use ahash::RandomState;
use bytes::Bytes;
use smallvec::SmallVec;

use crate::shape::Key;

/// A piece of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Which buffer.
    pub(crate) buffer: u32,
    /// Its first byte.
    pub(crate) start: u32,
    /// The byte after its last one.
    pub(crate) end: u32,
}

/// An object of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectId(u32);

/// The fields of an object, in the order in which they came.
pub(crate) type Fields = Vec<(Key, Value)>;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Also what is absent.
    Null,
    /// Any JSON that is kept as it was written.
    Leaf(Span),
    /// A list of something that was read further.
    List(Vec<Value>),
    /// An object that was read further.
    Object(ObjectId),
}

/// Where a value is in the store, from the root down: a position in a list, or the position of a field in its object.
pub(crate) type Slot = SmallVec<[u32; 12]>;

/// A segment of a path in the words of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PathSegment {
    /// Into a field.
    Key(Key),
    /// Into an item of a list.
    Index(u32),
}

/// The data of one request.
#[derive(Debug)]
pub(crate) struct Store {
    buffers: Vec<Bytes>,
    objects: Vec<Object>,
    /// Copies of objects, each made for one place.
    copies: HashMap<ObjectId, Vec<ObjectId>, RandomState>,
    /// The root object.
    pub(crate) root: Value,
}

#[derive(Debug, Default)]
struct Object {
    fields: Fields,
    /// The objects that came with it, itself counted.
    count: u64,
    /// Whether it may be at more than one place.
    is_shared: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            buffers: Vec::new(),
            objects: vec![Object::default()],
            copies: HashMap::default(),
            root: Value::Object(ROOT),
        }
    }
}

const ROOT: ObjectId = ObjectId(0);

impl Store {
    /// Keeps bytes for the time of the request and gives their number.
    pub(crate) fn keep(&mut self, bytes: Bytes) -> u32 {
        self.buffers.push(bytes);
        u32::try_from(self.buffers.len() - 1).expect("a request makes few fetches")
    }

    /// The number that the next kept bytes will have.
    pub(crate) fn next_buffer(&self) -> u32 {
        u32::try_from(self.buffers.len()).expect("a request makes few fetches")
    }

    /// The bytes of a span.
    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        &self.buffers[span.buffer as usize][span.start as usize..span.end as usize]
    }

    /// The type name that an object carries.
    pub(crate) fn typename(&self, object: &[(Key, Value)]) -> Option<&str> {
        std::str::from_utf8(self.typename_bytes(object)?).ok()
    }

    /// The same for comparing it alone.
    pub(crate) fn typename_bytes(&self, object: &[(Key, Value)]) -> Option<&[u8]> {
        let Some(Value::Leaf(span)) = field(object, Key::TYPENAME) else {
            return None;
        };
        self.bytes(*span).strip_prefix(b"\"")?.strip_suffix(b"\"")
    }

    /// Adds an object; `count` is how many it holds, itself counted.
    pub(crate) fn object(&mut self, fields: Fields, count: u64) -> ObjectId {
        let id = u32::try_from(self.objects.len()).expect("responses are shorter than 4 GiB");
        self.objects.push(Object {
            fields,
            count,
            is_shared: false,
        });
        ObjectId(id)
    }

    /// The fields of an object.
    pub(crate) fn fields(&self, id: ObjectId) -> &[(Key, Value)] {
        &self.objects[id.0 as usize].fields
    }

    /// How many objects came with this one, itself counted.
    pub(crate) fn count(&self, id: ObjectId) -> u64 {
        self.objects[id.0 as usize].count
    }

    /// Whether an object may be at more than one place.
    pub(crate) fn is_shared(&self, id: ObjectId) -> bool {
        self.objects[id.0 as usize].is_shared
    }

    /// An object is at one more place.
    pub(crate) fn share(&mut self, id: ObjectId) {
        self.objects[id.0 as usize].is_shared = true;
    }

    /// Gives a field another key; where one of that key is there, both are one.
    pub(crate) fn rename(&mut self, id: ObjectId, from: Key, to: Key) {
        let fields = &mut self.objects[id.0 as usize].fields;
        let Some(position) = fields.iter().position(|(key, _)| *key == from) else {
            return;
        };
        if fields.iter().any(|(key, _)| *key == to) {
            let value = std::mem::replace(&mut fields[position].1, Value::Null);
            self.set(id, to, value);
        } else {
            fields[position].0 = to;
        }
    }

    /// Merges the fields of an object that nobody refers to into the root.
    pub(crate) fn put_root(&mut self, data: ObjectId) {
        for (key, value) in std::mem::take(&mut self.objects[data.0 as usize].fields) {
            self.set(ROOT, key, value);
        }
    }

    /// Merges the fields of an entity into an object, at each of its places.
    pub(crate) fn put(&mut self, into: ObjectId, entity: ObjectId) {
        self.merge(into, entity);
        if let Some(copies) = self.copies.get(&into) {
            for copy in copies.clone() {
                self.put(copy, entity);
            }
        }
    }

    /// An object with all the copies of it.
    pub(crate) fn with_copies(&self, id: ObjectId, all: &mut Vec<ObjectId>) {
        all.push(id);
        for copy in self.copies.get(&id).into_iter().flatten() {
            self.with_copies(*copy, all);
        }
    }

    fn merge(&mut self, into: ObjectId, from: ObjectId) {
        if into == from {
            return;
        }
        let more = self.fields(from).len();
        self.objects[into.0 as usize].fields.reserve(more);
        for position in 0..more {
            let (key, value) = self.fields(from)[position].clone();
            self.share_value(&value);
            self.set(into, key, value);
        }
    }

    /// Merges a value into a field. Null never erases data: it only says that this subgraph has none.
    fn set(&mut self, id: ObjectId, key: Key, value: Value) {
        let fields = &mut self.objects[id.0 as usize].fields;
        let Some(position) = fields.iter().position(|(name, _)| *name == key) else {
            fields.push((key, value));
            return;
        };
        let there = std::mem::replace(&mut fields[position].1, Value::Null);
        let merged = self.merged(there, value);
        self.objects[id.0 as usize].fields[position].1 = merged;
    }

    fn merged(&mut self, there: Value, more: Value) -> Value {
        match (there, more) {
            (there, Value::Null) => there,
            (Value::Object(there), Value::Object(more)) => Value::Object(self.union(there, more)),
            (Value::List(mut items), Value::List(more)) if items.len() == more.len() => {
                for (item, more) in items.iter_mut().zip(more) {
                    let there = std::mem::replace(item, Value::Null);
                    *item = self.merged(there, more);
                }
                Value::List(items)
            }
            (_, more) => more,
        }
    }

    /// Both in one, for the place that brought them together: elsewhere each may be another's.
    fn union(&mut self, there: ObjectId, more: ObjectId) -> ObjectId {
        if there == more {
            return there;
        }
        let fields = self.fields(there).to_vec();
        for (_, value) in &fields {
            self.share_value(value);
        }
        let copy = self.object(fields, self.count(there));
        // It may be at all places of what holds it.
        self.share(copy);
        self.copies.entry(there).or_default().push(copy);
        self.merge(copy, more);
        copy
    }

    fn share_value(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Leaf(_) => {}
            Value::List(items) => items.iter().for_each(|item| self.share_value(item)),
            Value::Object(id) => self.share(*id),
        }
    }
}

/// Calls for each object of a value, which may be one, or a list of them.
pub(crate) fn each_object(value: &Value, visit: &mut impl FnMut(ObjectId)) {
    match value {
        Value::Null | Value::Leaf(_) => {}
        Value::List(items) => items.iter().for_each(|item| each_object(item, visit)),
        Value::Object(id) => visit(*id),
    }
}

/// A field of an object, if it is there.
pub(crate) fn field(object: &[(Key, Value)], key: Key) -> Option<&Value> {
    object
        .iter()
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(start: u32) -> Value {
        Value::Leaf(Span {
            buffer: 0,
            start,
            end: start + 1,
        })
    }

    #[test]
    fn a_merge_keeps_positions_and_never_erases_data() {
        let mut store = Store::default();
        let there = store.object(vec![(Key(1), leaf(0)), (Key(2), Value::Null)], 1);
        let more = store.object(vec![(Key(3), leaf(2)), (Key(1), Value::Null)], 1);
        let again = store.object(vec![(Key(2), leaf(4))], 1);
        store.put(there, more);
        store.put(there, again);
        let merged = [(Key(1), leaf(0)), (Key(2), leaf(4)), (Key(3), leaf(2))];
        assert_eq!(store.fields(there), merged);
    }

    /// Two products whose sizes were sent in the same bytes, so that they are one object, and another subgraph's part of
    /// each.
    #[test]
    fn what_one_place_brings_is_not_seen_at_the_others() {
        let mut store = Store::default();
        let size = store.object(vec![(Key(1), leaf(0))], 1);
        let of = |store: &mut Store, id| store.object(vec![(Key(2), Value::Object(id))], 2);
        let (table, couch) = (of(&mut store, size), of(&mut store, size));
        for (product, start) in [(table, 10), (couch, 20)] {
            let depth = store.object(vec![(Key(3), leaf(start))], 1);
            let more = of(&mut store, depth);
            store.put(product, more);
        }
        let size_of = |store: &Store, product| match store.fields(product) {
            [(_, Value::Object(id))] => *id,
            other => panic!("{other:?}"),
        };
        for (product, start) in [(table, 10), (couch, 20)] {
            let merged = [(Key(1), leaf(0)), (Key(3), leaf(start))];
            assert_eq!(store.fields(size_of(&store, product)), merged);
        }
        assert_eq!(store.fields(size).len(), 1);
        // A fetch that was about the size itself finds it at each place.
        let more = store.object(vec![(Key(4), leaf(30))], 1);
        store.put(size, more);
        for product in [table, couch] {
            assert_eq!(store.fields(size_of(&store, product)).len(), 3);
        }
    }
}
