//! Objects that were written once and may be written again elsewhere: where a shape asks the same of the same object, the
//! bytes are the same.

use std::collections::HashMap;

use ahash::RandomState;

use crate::execute::store::ObjectId;
use crate::shape::Shape;

/// What tells one piece of a response from another.
type Piece = (ObjectId, *const Shape);

/// Where pieces stand in what is written so far.
#[derive(Default)]
pub(super) struct Pieces {
    known: HashMap<Piece, Copied, RandomState>,
    /// In the order of their ends.
    order: Vec<(Piece, usize)>,
}

/// A piece that stands there already.
#[derive(Clone, Copy)]
pub(super) struct Copied {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The objects in it.
    pub(super) objects: u64,
}

impl Pieces {
    /// Where an object stands as a shape asks for it.
    pub(super) fn find(&self, object: ObjectId, shape: &Shape) -> Option<Copied> {
        self.known
            .get(&(object, std::ptr::from_ref(shape)))
            .copied()
    }

    /// Remembers a piece that was written last.
    pub(super) fn keep(&mut self, object: ObjectId, shape: &Shape, copied: Copied) {
        let piece = (object, std::ptr::from_ref(shape));
        self.known.insert(piece, copied);
        self.order.push((piece, copied.end));
    }

    /// Forgets what ends behind a position, because it is cut off.
    pub(super) fn cut(&mut self, position: usize) {
        while let Some((piece, _)) = self.order.pop_if(|(_, end)| *end > position) {
            self.known.remove(&piece);
        }
    }
}
