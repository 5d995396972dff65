//! What entities this request already knows: nobody is asked twice for the same fields of the same entity.
//!
//! Exact: subgraph, selection and the representation's bytes must all be equal. Mutations use none, since they
//! change what they read; an answer with errors leaves nothing here.

use std::collections::HashMap;

use crate::execute::store::Value;

/// The entities of one request.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    known: HashMap<u32, HashMap<Box<[u8]>, Value>>,
}

impl Memo {
    /// An entity by the number of its batch and its representation.
    pub(crate) fn find(&self, batch: u32, representation: &[u8]) -> Option<&Value> {
        self.known.get(&batch)?.get(representation)
    }

    /// Remembers an entity.
    pub(crate) fn insert(&mut self, batch: u32, representation: Box<[u8]>, entity: Value) {
        self.known
            .entry(batch)
            .or_default()
            .insert(representation, entity);
    }
}
