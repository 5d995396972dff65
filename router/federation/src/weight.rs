//! How many bytes of heap something holds, for caches that are bounded in bytes.

use std::collections::{BTreeSet, HashSet};
use std::mem::size_of;
use std::sync::Arc;

use graphql_tools::static_graphql::query::Value;

/// What the allocator adds to each allocation, at most on the whole.
const ALLOCATION: usize = 16;

/// What is shared and was counted already, by its address.
pub(crate) type Counted = HashSet<*const ()>;

/// Something that holds heap memory.
pub(crate) trait Weight {
    /// The bytes that it holds beside its own size, what was `counted` left out.
    fn heap(&self, counted: &mut Counted) -> usize;
}

/// Bytes of one allocation.
pub(crate) fn allocation(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes + ALLOCATION }
}

/// Bytes of something that is shared, its own size included, the first time.
pub(crate) fn shared<T: Weight>(found: &Arc<T>, counted: &mut Counted) -> usize {
    if !counted.insert(Arc::as_ptr(found).cast()) {
        return 0;
    }
    allocation(size_of::<T>()) + found.heap(counted)
}

impl Weight for String {
    fn heap(&self, _counted: &mut Counted) -> usize {
        allocation(self.capacity())
    }
}

impl Weight for Arc<str> {
    fn heap(&self, _counted: &mut Counted) -> usize {
        allocation(self.len() + 2 * size_of::<usize>())
    }
}

impl Weight for Box<[u8]> {
    fn heap(&self, _counted: &mut Counted) -> usize {
        allocation(self.len())
    }
}

impl Weight for Box<str> {
    fn heap(&self, _counted: &mut Counted) -> usize {
        allocation(self.len())
    }
}

impl<T: Weight> Weight for Vec<T> {
    fn heap(&self, counted: &mut Counted) -> usize {
        let own = allocation(self.capacity() * size_of::<T>());
        own + self.iter().map(|item| item.heap(counted)).sum::<usize>()
    }
}

impl<T: Weight> Weight for Arc<[T]> {
    fn heap(&self, counted: &mut Counted) -> usize {
        let own = allocation(self.len() * size_of::<T>());
        own + self.iter().map(|item| item.heap(counted)).sum::<usize>()
    }
}

impl<T: Weight> Weight for Option<T> {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.as_ref().map_or(0, |found| found.heap(counted))
    }
}

impl<A: Weight, B: Weight> Weight for (A, B) {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.0.heap(counted) + self.1.heap(counted)
    }
}

impl Weight for BTreeSet<String> {
    fn heap(&self, counted: &mut Counted) -> usize {
        // A node of the tree holds 11 places, and at least about half of them are taken.
        let nodes = allocation(self.len() * 2 * size_of::<String>());
        nodes + self.iter().map(|item| item.heap(counted)).sum::<usize>()
    }
}

impl Weight for Value {
    fn heap(&self, counted: &mut Counted) -> usize {
        match self {
            Self::Variable(text) | Self::String(text) | Self::Enum(text) => text.heap(counted),
            Self::List(items) => items.heap(counted),
            Self::Object(fields) => fields.heap(counted),
            Self::Int(_) | Self::Float(_) | Self::Boolean(_) | Self::Null => 0,
        }
    }
}
