//! Where an error of a fetch belongs: from a subgraph's path, or from none, to places of the answer.
//!
//! A fetch that brought nothing is reported at every field that it should have brought and the client asked for, so
//! no null stays without a reason.

use crate::execute::error::{Report, Segment, SubgraphError};
use crate::execute::run::{Call, Progress, Scope, places};
use crate::execute::store::{PathItem, Place, Store};
use crate::plan::compile::{BatchPlan, TargetPlan};
use crate::shape::{Key, Keys, Shape};
use crate::subgraph::FetchError;

/// Reports a fetch that brought no answer, at every field that it should have brought.
pub(crate) fn fail(scope: Scope<'_>, call: &Call<'_>, error: &FetchError, progress: &mut Progress) {
    tracing::warn!(subgraph = %call.fetch.subgraph, %error, "a fetch brought no answer");
    let report = Report::unavailable();
    for path in expected(scope, call, &progress.store) {
        if progress.errors.is_full() {
            progress.errors.explain(&path);
        } else {
            progress.errors.add(&report, scope.shape, &path);
        }
    }
}

/// The paths of all fields that a fetch is to bring and the client asked for.
fn expected(scope: Scope<'_>, call: &Call<'_>, store: &Store) -> Vec<Vec<PathItem>> {
    let mut paths = Vec::new();
    match &call.fetch.target {
        TargetPlan::Root => {
            let keys = call.fetch.shape.fields.iter().map(|field| field.key);
            paths.extend(keys.map(|key| vec![PathItem::Key(key)]));
        }
        TargetPlan::Places(path) => {
            for place in places(scope, store, path) {
                let keys = call.fetch.shape.fields.iter().map(|field| field.key);
                paths.extend(keys.map(|key| below(store, &place, key)));
            }
        }
        TargetPlan::Entities(batches) => {
            for (batch, asked) in batches.iter().zip(&call.asked) {
                for place in asked.values().flatten() {
                    paths.extend(batch.brings.iter().map(|key| below(store, place, *key)));
                }
            }
        }
    }
    paths.retain(|path| is_asked(scope.shape, path));
    paths
}

fn below(store: &Store, place: &Place, key: Key) -> Vec<PathItem> {
    let mut path = store.path(place);
    path.push(PathItem::Key(key));
    path
}

/// Whether the client asked for this place; a key that only the planner wanted explains nothing.
fn is_asked(shape: &Shape, path: &[PathItem]) -> bool {
    let mut shape = Some(shape);
    for item in path {
        if let PathItem::Key(key) = item {
            let Some(field) = shape.and_then(|shape| shape.field(*key)) else {
                return false;
            };
            shape = field.child.as_deref();
        }
    }
    !matches!(path.last(), Some(PathItem::Key(Key::TYPENAME)))
}

/// Passes on the errors that a subgraph reported, at the client's places.
pub(crate) fn report(scope: Scope<'_>, call: &Call<'_>, errors: &[u8], progress: &mut Progress) {
    let Ok(errors) = serde_json::from_slice::<Vec<SubgraphError>>(errors) else {
        let error = FetchError::Answer("errors are not a list of errors".to_owned());
        return fail(scope, call, &error, progress);
    };
    for error in errors {
        let report = Report::from_subgraph(&scope.host.codes, &call.fetch.subgraph, &error);
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

/// The places in the answer that a subgraph's error path means; none when it has no path.
fn locate(
    scope: Scope<'_>,
    call: &Call<'_>,
    path: &[Segment],
    store: &Store,
) -> Vec<Vec<PathItem>> {
    let Some((first, rest)) = path.split_first() else {
        return Vec::new();
    };
    let TargetPlan::Entities(batches) = &call.fetch.target else {
        let items = items(scope.keys, path);
        let TargetPlan::Places(way) = &call.fetch.target else {
            return vec![items];
        };
        let places = places(scope, store, way).into_iter();
        return places
            .map(|place| [store.path(&place), items.clone()].concat())
            .collect();
    };
    let named = |batch: &BatchPlan| *first == Segment::Key(batch.alias_name.clone());
    let Some(position) = batches.iter().position(named) else {
        return Vec::new();
    };
    let asked = &call.asked[position];
    let Some((Segment::Index(index), rest)) = rest.split_first() else {
        // The list itself failed, so every entity of it did.
        let places = asked.values().flatten();
        let brings = &batches[position].brings;
        let paths = places.flat_map(|place| brings.iter().map(|key| below(store, place, *key)));
        return paths.filter(|path| is_asked(scope.shape, path)).collect();
    };
    let places = asked
        .get_index(*index as usize)
        .map_or(&[][..], |(_, places)| places.as_slice());
    let rest = items(scope.keys, rest);
    places
        .iter()
        .map(|place| [store.path(place), rest.clone()].concat())
        .collect()
}

fn items(keys: &Keys, path: &[Segment]) -> Vec<PathItem> {
    let item = |segment: &Segment| match segment {
        Segment::Index(position) => Some(PathItem::Index(*position)),
        Segment::Key(name) => keys.find(name).map(PathItem::Key),
    };
    path.iter().map_while(item).collect()
}
