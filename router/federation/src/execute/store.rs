//! The data of one request: the bytes that subgraphs sent, and a tree over them.
//!
//! Leaves are never decoded. A string, a number or a custom scalar is a span of the bytes it came in and goes out
//! verbatim, so decimals and integers of any size survive. Positions inside an object or a list never change: a
//! merge only appends or replaces, which lets a fetch remember where its entities are.

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

/// A value of the tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Also what is absent.
    Null,
    /// Any JSON that is kept as it was written.
    Leaf(Span),
    /// A list of something that was read further.
    List(Vec<Value>),
    /// An object that was read further.
    Object(Vec<(Key, Value)>),
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
    /// The root object.
    pub(crate) root: Value,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            buffers: Vec::new(),
            root: Value::Object(Vec::new()),
        }
    }
}

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

    /// Merges a value into what is in a slot, as [`merge`] does; only what is not there yet is copied.
    pub(crate) fn put(&mut self, slot: &[u32], value: &Value) {
        if let Some(there) = self.at_mut(slot) {
            merge_copy(there, value);
        }
    }

    fn at_mut(&mut self, slot: &[u32]) -> Option<&mut Value> {
        let mut value = &mut self.root;
        for position in slot {
            value = match value {
                Value::Object(fields) => &mut fields.get_mut(*position as usize)?.1,
                Value::List(items) => items.get_mut(*position as usize)?,
                Value::Null | Value::Leaf(_) => return None,
            };
        }
        Some(value)
    }
}

/// How many objects there are in a value, itself counted.
pub(crate) fn objects(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Leaf(_) => 0,
        Value::List(items) => items.iter().map(objects).sum(),
        Value::Object(fields) => 1 + fields.iter().map(|(_, value)| objects(value)).sum::<u64>(),
    }
}

/// A field of an object, if it is there.
pub(crate) fn field(object: &[(Key, Value)], key: Key) -> Option<&Value> {
    object
        .iter()
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

/// Merges what a fetch brought into what is there. Null never erases data: it only says that this subgraph has none.
pub(crate) fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (_, Value::Null) => {}
        (Value::Object(fields), Value::Object(more)) => {
            for (key, value) in more {
                match fields.iter_mut().find(|(name, _)| *name == key) {
                    Some((_, there)) => merge(there, value),
                    None => fields.push((key, value)),
                }
            }
        }
        (Value::List(items), Value::List(more)) if items.len() == more.len() => {
            for (there, value) in items.iter_mut().zip(more) {
                merge(there, value);
            }
        }
        (into, from) => *into = from,
    }
}

fn merge_copy(into: &mut Value, from: &Value) {
    match (into, from) {
        (_, Value::Null) => {}
        (Value::Object(fields), Value::Object(more)) => {
            fields.reserve(more.len());
            for (key, value) in more {
                match fields.iter_mut().find(|(name, _)| name == key) {
                    Some((_, there)) => merge_copy(there, value),
                    None => fields.push((*key, value.clone())),
                }
            }
        }
        (Value::List(items), Value::List(more)) if items.len() == more.len() => {
            for (there, value) in items.iter_mut().zip(more) {
                merge_copy(there, value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_keeps_positions_and_never_erases_data() {
        let leaf = |start| {
            Value::Leaf(Span {
                buffer: 0,
                start,
                end: start + 1,
            })
        };
        let mut there = Value::Object(vec![(Key(1), leaf(0)), (Key(2), Value::Null)]);
        merge(
            &mut there,
            Value::Object(vec![(Key(3), leaf(2)), (Key(1), Value::Null)]),
        );
        merge(&mut there, Value::Object(vec![(Key(2), leaf(4))]));
        let merged = vec![(Key(1), leaf(0)), (Key(2), leaf(4)), (Key(3), leaf(2))];
        assert_eq!(there, Value::Object(merged));
    }
}
