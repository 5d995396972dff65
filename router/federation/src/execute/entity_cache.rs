//! The entities that this request already knows: no subgraph is asked twice for the same fields of the same entity.
//!
//! Exact: subgraph, selection and the representation's bytes must all be equal. A mutation uses none, since it changes
//! what it reads; a response with errors leaves nothing here.

use std::collections::HashMap;

use ahash::RandomState;

use crate::execute::store::ObjectId;

/// The entities of one request.
#[derive(Debug, Default)]
pub(crate) struct EntityCache {
    known: HashMap<u32, Entities, RandomState>,
}

/// Entities by their representations; none for one that the subgraph does not know.
type Entities = HashMap<Box<[u8]>, Option<ObjectId>, RandomState>;

impl EntityCache {
    /// Whether anything is known of batches with this cache key.
    pub(crate) fn has(&self, batch: u32) -> bool {
        self.known.contains_key(&batch)
    }

    /// An entity by the cache key of its batch and its representation; none in it for one that the subgraph does not know.
    pub(crate) fn find(&self, batch: u32, representation: &[u8]) -> Option<Option<ObjectId>> {
        self.known.get(&batch)?.get(representation).copied()
    }

    /// Keeps an entity for the rest of the request.
    pub(crate) fn insert(
        &mut self,
        batch: u32,
        representation: Box<[u8]>,
        entity: Option<ObjectId>,
    ) {
        let batch = self.known.entry(batch).or_default();
        batch.insert(representation, entity);
    }
}
