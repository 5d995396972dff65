//! Entities on their way into the store: from the cache of this request, or from a subgraph's response.

use crate::execute::rename::rename;
use crate::execute::representations::{Asked, Representations};
use crate::execute::state::{Progress, Scope};
use crate::execute::store::{ObjectId, Value};
use crate::plan::compile::BatchPlan;
use crate::request::OperationKind;

/// Fills in the entities that this request already knows, and gives back the rest.
pub(crate) fn fill_from_cache(
    scope: Scope<'_>,
    batch: &BatchPlan,
    found: Representations,
    progress: &mut Progress,
) -> Representations {
    if scope.kind == OperationKind::Mutation || !progress.entities.has(batch.cache_key) {
        return found;
    }
    let mut unknown = Representations::default();
    for (representation, asked) in found {
        let known = progress.entities.find(batch.cache_key, &representation);
        match known {
            None => {
                unknown.insert(representation, asked);
            }
            Some(entity) => {
                if !put(entity, &asked, asked.places, progress) {
                    break;
                }
            }
        }
    }
    unknown
}

/// Puts each entity into its objects, and caches those of a response without errors.
pub(crate) fn distribute(
    scope: Scope<'_>,
    batch: &BatchPlan,
    asked: &Representations,
    entities: Vec<Value>,
    is_whole: bool,
    progress: &mut Progress,
) {
    let is_cached = is_whole && scope.kind != OperationKind::Mutation;
    for ((representation, asked), entity) in asked.iter().zip(entities) {
        rename(scope.types, &mut progress.store, &entity, &batch.renames);
        let entity = match entity {
            Value::Object(entity) => Some(entity),
            // A subgraph that does not know it.
            Value::Null | Value::Leaf(_) | Value::List(_) => None,
        };
        if !put(entity, asked, asked.places.saturating_sub(1), progress) {
            return;
        }
        if is_cached {
            let key = batch.cache_key;
            progress
                .entities
                .insert(key, representation.clone(), entity);
        }
    }
}

/// Puts an entity into its objects, which adds so many copies of what is below it; false when these are too many.
fn put(entity: Option<ObjectId>, asked: &Asked, copies: u64, progress: &mut Progress) -> bool {
    let Some(entity) = entity else {
        return true;
    };
    // The entity itself becomes one with what is there.
    let below = progress.store.count(entity).saturating_sub(1);
    if !progress.budget.take_objects(below.saturating_mul(copies)) {
        return false;
    }
    for object in &asked.objects {
        progress.store.put(*object, entity);
    }
    true
}
