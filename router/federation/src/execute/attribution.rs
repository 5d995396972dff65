//! Error attribution: from the path of a subgraph's error, or from none, to paths of the response.
//!
//! A fetch that failed as a whole is reported at every field that it should have brought and the client asked for, so
//! no null stays without a reason.

use crate::execute::error::{ClientError, SubgraphError, SubgraphPathSegment};
use crate::execute::representations::slots;
use crate::execute::state::{Call, Progress, Scope};
use crate::execute::store::{PathSegment, Slot, Store};
use crate::plan::compile::{BatchPlan, TargetPlan};
use crate::shape::{Key, Keys, Shape};
use crate::subgraph::FetchError;

/// Reports a fetch that failed as a whole, at every field that it should have brought.
pub(crate) fn fail(scope: Scope<'_>, call: &Call<'_>, error: &FetchError, progress: &mut Progress) {
    tracing::warn!(subgraph = %call.fetch.subgraph, %error, "a fetch failed");
    let report = ClientError::unavailable();
    for path in expected(scope, call, &progress.store) {
        if progress.errors.is_full() {
            progress.errors.explain(&path);
        } else {
            progress.errors.add(&report, scope.shape, &path);
        }
    }
}

/// The paths of all fields that a fetch is to bring and the client asked for.
fn expected(scope: Scope<'_>, call: &Call<'_>, store: &Store) -> Vec<Vec<PathSegment>> {
    let mut paths = Vec::new();
    match &call.fetch.target {
        TargetPlan::Root => {
            let keys = call.fetch.shape.fields.iter().map(|field| field.key);
            paths.extend(keys.map(|key| vec![PathSegment::Key(key)]));
        }
        TargetPlan::Path(path) => {
            for slot in slots(store, scope.types, path) {
                let keys = call.fetch.shape.fields.iter().map(|field| field.key);
                paths.extend(keys.map(|key| below(store, &slot, key)));
            }
        }
        TargetPlan::Entities(batches) => {
            for (batch, asked) in batches.iter().zip(&call.asked) {
                for slot in asked.values().flatten() {
                    paths.extend(batch.brings.iter().map(|key| below(store, slot, *key)));
                }
            }
        }
    }
    paths.retain(|path| is_asked(scope.shape, path));
    paths
}

fn below(store: &Store, slot: &Slot, key: Key) -> Vec<PathSegment> {
    let mut path = store.path(slot);
    path.push(PathSegment::Key(key));
    path
}

/// Whether the client asked for the field at this path; one that only the planner wanted explains nothing.
fn is_asked(shape: &Shape, path: &[PathSegment]) -> bool {
    let mut shape = Some(shape);
    for item in path {
        if let PathSegment::Key(key) = item {
            let Some(field) = shape.and_then(|shape| shape.field(*key)) else {
                return false;
            };
            shape = field.child.as_deref();
        }
    }
    !matches!(path.last(), Some(PathSegment::Key(Key::TYPENAME)))
}

/// Passes on the errors that a subgraph reported, each at the client's path.
pub(crate) fn report(scope: Scope<'_>, call: &Call<'_>, errors: &[u8], progress: &mut Progress) {
    let Ok(errors) = serde_json::from_slice::<Vec<SubgraphError>>(errors) else {
        let error = FetchError::Response("errors are not a list of errors".to_owned());
        return fail(scope, call, &error, progress);
    };
    for error in errors {
        let report = ClientError::from_subgraph(&scope.host.codes, &call.fetch.subgraph, &error);
        let path = error.path.unwrap_or_default();
        let found = locate(scope, call, &path, &progress.store);
        if found.is_empty() {
            progress.errors.add_without_path(&report);
            for path in expected(scope, call, &progress.store) {
                progress.errors.explain(&path);
            }
        }
        for path in found {
            progress.errors.add(&report, scope.shape, &path);
        }
    }
}

/// The paths in the response that a subgraph's error path stands for; none when it has no path.
fn locate(
    scope: Scope<'_>,
    call: &Call<'_>,
    path: &[SubgraphPathSegment],
    store: &Store,
) -> Vec<Vec<PathSegment>> {
    let Some((first, rest)) = path.split_first() else {
        return Vec::new();
    };
    let TargetPlan::Entities(batches) = &call.fetch.target else {
        let items = items(scope.keys, path);
        let TargetPlan::Path(target) = &call.fetch.target else {
            return vec![items];
        };
        let slots = slots(store, scope.types, target).into_iter();
        return slots
            .map(|slot| [store.path(&slot), items.clone()].concat())
            .collect();
    };
    let named = |batch: &BatchPlan| *first == SubgraphPathSegment::Key(batch.alias_name.clone());
    let Some(position) = batches.iter().position(named) else {
        return Vec::new();
    };
    let asked = &call.asked[position];
    let Some((SubgraphPathSegment::Index(index), rest)) = rest.split_first() else {
        // The list itself failed, so every entity of it did.
        let slots = asked.values().flatten();
        let brings = &batches[position].brings;
        let paths = slots.flat_map(|slot| brings.iter().map(|key| below(store, slot, *key)));
        return paths.filter(|path| is_asked(scope.shape, path)).collect();
    };
    let slots = asked
        .get_index(*index as usize)
        .map_or(&[][..], |(_, slots)| slots.as_slice());
    let rest = items(scope.keys, rest);
    slots
        .iter()
        .map(|slot| [store.path(slot), rest.clone()].concat())
        .collect()
}

fn items(keys: &Keys, path: &[SubgraphPathSegment]) -> Vec<PathSegment> {
    let item = |segment: &SubgraphPathSegment| match segment {
        SubgraphPathSegment::Index(position) => Some(PathSegment::Index(*position)),
        SubgraphPathSegment::Key(name) => keys.find(name).map(PathSegment::Key),
    };
    path.iter().map_while(item).collect()
}
