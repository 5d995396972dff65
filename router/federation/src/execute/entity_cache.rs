//! The entities that this request already knows: no subgraph is asked twice for the same fields of the same entity.
//!
//! Exact: subgraph, selection and the representation's bytes must all be equal. A mutation uses none, since it changes
//! what it reads; a response with errors leaves nothing here.

use std::collections::HashMap;

use ahash::RandomState;

use crate::execute::store::Value;

/// The entities of one request.
#[derive(Debug, Default)]
pub(crate) struct EntityCache {
    known: HashMap<u32, HashMap<Box<[u8]>, Value, RandomState>, RandomState>,
}

impl EntityCache {
    /// An entity by the cache key of its batch and its representation.
    pub(crate) fn find(&self, batch: u32, representation: &[u8]) -> Option<&Value> {
        self.known.get(&batch)?.get(representation)
    }

    /// Keeps an entity for the rest of the request.
    pub(crate) fn insert(&mut self, batch: u32, representation: Box<[u8]>, entity: Value) {
        let batch = self.known.entry(batch).or_default();
        batch.insert(representation, entity);
    }
}
