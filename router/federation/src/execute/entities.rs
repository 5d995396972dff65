//! Entities on their way into the store: from the cache of this request, or from a subgraph's response.

use crate::execute::rename::rename;
use crate::execute::representations::Representations;
use crate::execute::state::{Progress, Scope};
use crate::execute::store::{Value, objects};
use crate::plan::compile::BatchPlan;
use crate::request::OperationKind;

/// Fills in the entities that this request already knows, and gives back the rest.
pub(crate) fn fill_from_cache(
    scope: Scope<'_>,
    batch: &BatchPlan,
    found: Representations,
    progress: &mut Progress,
) -> Representations {
    if scope.kind == OperationKind::Mutation {
        return found;
    }
    let mut unknown = Representations::default();
    for (representation, slots) in found {
        match progress.entities.find(batch.cache_key, &representation) {
            None => {
                unknown.insert(representation, slots);
            }
            Some(entity) => {
                if !progress.budget.take_objects(below(entity, slots.len())) {
                    break;
                }
                for slot in &slots {
                    progress.store.put(slot, entity);
                }
            }
        }
    }
    unknown
}

/// Puts each entity into its slots, and caches those of a response without errors.
pub(crate) fn distribute(
    scope: Scope<'_>,
    batch: &BatchPlan,
    asked: &Representations,
    entities: Vec<Value>,
    is_whole: bool,
    progress: &mut Progress,
) {
    let is_cached = is_whole && scope.kind != OperationKind::Mutation;
    for ((representation, slots), mut entity) in asked.iter().zip(entities) {
        rename(scope.types, &progress.store, &mut entity, &batch.renames);
        let copies = slots.len().saturating_sub(1);
        if !progress.budget.take_objects(below(&entity, copies)) {
            return;
        }
        for slot in slots {
            progress.store.put(slot, &entity);
        }
        if is_cached {
            let key = batch.cache_key;
            progress
                .entities
                .insert(key, representation.clone(), entity);
        }
    }
}

/// The objects that so many copies of an entity add; the entity itself becomes one with what is there.
fn below(entity: &Value, copies: usize) -> u64 {
    let copies = u64::try_from(copies).unwrap_or(u64::MAX);
    objects(entity).saturating_sub(1).saturating_mul(copies)
}
