//! Objects that a response holds many times in the same bytes: read once, and known again by these.

use crate::execute::store::ObjectId;

/// Objects of one place in the shape that are remembered.
const KNOWN_MAX: usize = 32;

/// The objects that were read at one place in the shape.
#[derive(Default)]
pub(super) struct Known {
    objects: Vec<Object>,
    tried: u32,
    found: u32,
    is_off: bool,
    /// The same of each field that has objects, by its position; empty until there is one.
    below: Vec<Known>,
}

/// An object that was read.
#[derive(Clone, Copy)]
pub(super) struct Object {
    pub(super) id: ObjectId,
    /// The objects that it holds, itself counted.
    pub(super) count: u64,
    start: usize,
    pub(super) len: usize,
}

impl Known {
    /// The object whose bytes stand at the start of the rest of a response, if it is known. It was read before, so its bytes
    /// are whole: no other object begins with them.
    pub(super) fn find(&mut self, bytes: &[u8], at: usize) -> Option<Object> {
        if self.is_off {
            return None;
        }
        let rest = &bytes[at..];
        let is_here = |it: &&Object| {
            let known = &bytes[it.start..it.start + it.len];
            // What tells objects apart stands at their ends rather than at their beginnings.
            let is_end = match (known.last_chunk::<8>(), rest.get(..it.len)) {
                (Some(end), Some(here)) => here.last_chunk::<8>() == Some(end),
                (None, Some(_)) => true,
                (_, None) => false,
            };
            is_end && rest.starts_with(known)
        };
        let found = self.objects.iter().find(is_here).copied();
        self.tried = self.tried.saturating_add(1);
        self.found += u32::from(found.is_some());
        found
    }

    /// Remembers an object that was read. Where hardly any is found again nothing is looked for any more.
    pub(super) fn keep(&mut self, id: ObjectId, count: u64, start: usize, end: usize) {
        if self.objects.len() < KNOWN_MAX {
            let len = end - start;
            self.objects.push(Object {
                id,
                count,
                start,
                len,
            });
        } else if self.found < self.tried / 4 {
            self.is_off = true;
        }
    }

    /// What is known of the field at a position.
    pub(super) fn below(&mut self, position: usize, fields: usize) -> &mut Self {
        if self.below.is_empty() {
            self.below.resize_with(fields, Self::default);
        }
        &mut self.below[position]
    }
}
