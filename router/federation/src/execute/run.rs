//! Running a plan: wave after wave, the fetches of a wave side by side.
//!
//! A fetch that fails takes nothing else down: its fields stay null and carry one error each. Merging is done by
//! one task after a wave is complete, so no lock guards the store.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value as Json};

use crate::execute::blame::{fail, report};
use crate::execute::error::Errors;
use crate::execute::extensions::Extensions;
use crate::execute::memo::Memo;
use crate::execute::read;
use crate::execute::represent::{self, Representations};
use crate::execute::store::{Place, Store, Value, merge};
use crate::graph::TypeTable;
use crate::host::Host;
use crate::plan::compile::{BatchPlan, ExecPlan, FetchPlan, TargetPlan, Walk};
use crate::request::{OperationKind, RequestContext};
use crate::shape::{Key, Keys, Shape};
use crate::subgraph::{FetchError, FetchRequest, Subgraph};

/// What every fetch of a request needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// Types of the graph.
    pub(crate) types: &'a TypeTable,
    /// Response keys of the operation.
    pub(crate) keys: &'a Keys,
    /// What the client asked for.
    pub(crate) shape: &'a Shape,
    /// Query or mutation; an event counts as a query.
    pub(crate) kind: OperationKind,
    /// Coerced variables.
    pub(crate) variables: &'a Map<String, Json>,
    /// The subgraphs by name.
    pub(crate) subgraphs: &'a HashMap<String, Arc<dyn Subgraph>>,
    /// Which errors of subgraphs may pass, and who observes.
    pub(crate) host: &'a Host,
    /// The caller.
    pub(crate) ctx: &'a RequestContext,
}

/// What a request has so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The data.
    pub(crate) store: Store,
    /// What went wrong.
    pub(crate) errors: Errors,
    /// What subgraphs say beside the data.
    pub(crate) extensions: Extensions,
    /// Entities already known.
    pub(crate) memo: Memo,
}

/// A fetch on its way.
pub(crate) struct Call<'a> {
    /// The fetch.
    pub(crate) fetch: &'a FetchPlan,
    request: FetchRequest,
    /// For each batch of the fetch, what was asked and for which places.
    pub(crate) asked: Vec<Representations>,
}

/// Runs a plan from the given wave on.
///
/// # Cancel safety
/// Dropping it drops the fetches; queries have no effect then, mutations may have happened.
pub(crate) async fn run(
    scope: Scope<'_>,
    plan: &ExecPlan,
    from_wave: usize,
    progress: &mut Progress,
) {
    for wave in plan.waves.iter().skip(from_wave) {
        let calls: Vec<_> = wave
            .iter()
            .filter_map(|fetch| prepare(scope, fetch, progress))
            .collect();
        let answers = calls.iter().map(|call| send(scope, call));
        let answers = futures::future::join_all(answers).await;
        for (call, answer) in calls.into_iter().zip(answers) {
            match answer {
                Ok(bytes) => take(scope, &call, bytes, progress),
                Err(error) => fail(scope, &call, &error, progress),
            }
        }
    }
}

/// Builds the request of a fetch; `None` when there is nothing to ask.
fn prepare<'a>(
    scope: Scope<'_>,
    fetch: &'a FetchPlan,
    progress: &mut Progress,
) -> Option<Call<'a>> {
    let mut variables = VariablesWriter::new();
    for name in &fetch.variables {
        if let Some(value) = scope.variables.get(name) {
            variables.json(name, value);
        }
    }
    let mut asked = Vec::new();
    match &fetch.target {
        TargetPlan::Root => {}
        TargetPlan::Places(path) => {
            if places(scope, &progress.store, path).is_empty() {
                return None;
            }
        }
        TargetPlan::Entities(batches) => {
            for batch in batches {
                let found =
                    represent::collect(&progress.store, scope.types, &fetch.subgraph, batch);
                let unknown = answer_from_memo(scope, batch, found, progress);
                variables.representations(&batch.variable, &unknown);
                asked.push(unknown);
            }
            if asked.iter().all(Representations::is_empty) {
                return None;
            }
        }
    }
    let request = FetchRequest {
        text: fetch.text.clone(),
        prefix: fetch.prefix.clone(),
        kind: scope.kind,
        variables: variables.finish(),
        fields: fetch.fields.clone(),
    };
    Some(Call {
        fetch,
        request,
        asked,
    })
}

fn answer_from_memo(
    scope: Scope<'_>,
    batch: &BatchPlan,
    found: Representations,
    progress: &mut Progress,
) -> Representations {
    if scope.kind == OperationKind::Mutation {
        return found;
    }
    let mut unknown = Representations::new();
    for (representation, places) in found {
        match progress.memo.find(batch.memo, &representation) {
            None => {
                unknown.insert(representation, places);
            }
            Some(entity) => {
                for place in &places {
                    put(&mut progress.store, place, entity.clone());
                }
            }
        }
    }
    unknown
}

async fn send(scope: Scope<'_>, call: &Call<'_>) -> Result<Bytes, FetchError> {
    match scope.subgraphs.get(&*call.fetch.subgraph) {
        Some(subgraph) => subgraph.fetch(call.request.clone(), scope.ctx).await,
        None => Err(FetchError::Connect(format!(
            "no subgraph {}",
            call.fetch.subgraph
        ))),
    }
}

/// Takes in an answer.
fn take(scope: Scope<'_>, call: &Call<'_>, bytes: Bytes, progress: &mut Progress) {
    let buffer = progress.store.keep(bytes.clone());
    let answer = match read::answer(&bytes, buffer, &call.fetch.shape) {
        Ok(answer) => answer,
        Err(error) => {
            return fail(
                scope,
                call,
                &FetchError::Answer(error.to_string()),
                progress,
            );
        }
    };
    let failed = answer.errors.is_some();
    if let Some(extensions) = answer.extensions {
        progress.extensions.add(extensions);
    }
    if let Some(errors) = answer.errors {
        report(scope, call, errors, progress);
    }
    match &call.fetch.target {
        TargetPlan::Root => merge(&mut progress.store.root, answer.data),
        TargetPlan::Places(path) => {
            for place in places(scope, &progress.store, path) {
                put(&mut progress.store, &place, answer.data.clone());
            }
        }
        TargetPlan::Entities(batches) => {
            let Value::Object(fields) = answer.data else {
                return;
            };
            let mut lists: HashMap<Key, Value> = fields.into_iter().collect();
            for (batch, asked) in batches.iter().zip(&call.asked) {
                if let Some(Value::List(entities)) = lists.remove(&batch.alias) {
                    distribute(scope, batch, asked, entities, failed, progress);
                }
            }
        }
    }
}

/// Puts each entity to its places, and remembers it.
fn distribute(
    scope: Scope<'_>,
    batch: &BatchPlan,
    asked: &Representations,
    entities: Vec<Value>,
    failed: bool,
    progress: &mut Progress,
) {
    let remembered = !failed && scope.kind != OperationKind::Mutation;
    for ((representation, places), mut entity) in asked.iter().zip(entities) {
        for (way, from, to) in &batch.renames {
            rename(scope.types, &progress.store, &mut entity, way, *from, *to);
        }
        for place in places {
            put(&mut progress.store, place, entity.clone());
        }
        if remembered {
            progress
                .memo
                .insert(batch.memo, representation.clone(), entity);
        }
    }
}

fn put(store: &mut Store, place: &Place, value: Value) {
    if let Some(there) = store.at_mut(place) {
        merge(there, value);
    }
}

/// Every place at the end of a path.
pub(crate) fn places(scope: Scope<'_>, store: &Store, path: &[Walk]) -> Vec<Place> {
    let mut places = Vec::new();
    represent::each_object(store, scope.types, path, &mut |place, _| {
        places.push(place.clone())
    });
    places
}

fn rename(types: &TypeTable, store: &Store, value: &mut Value, way: &[Walk], from: Key, to: Key) {
    match value {
        Value::Null | Value::Leaf(_) => {}
        Value::List(items) => {
            for item in items {
                rename(types, store, item, way, from, to);
            }
        }
        Value::Object(fields) => match way.first() {
            None => {
                for (key, _) in fields.iter_mut().filter(|(key, _)| *key == from) {
                    *key = to;
                }
            }
            Some(Walk::List) => rename(types, store, value, &way[1..], from, to),
            Some(Walk::Types(wanted)) => {
                let fits = |name| wanted.iter().any(|wanted| types.satisfies(name, wanted));
                if store.typename(fields).is_none_or(fits) {
                    rename(types, store, value, &way[1..], from, to);
                }
            }
            Some(Walk::Field(next)) => {
                if let Some((_, inner)) = fields.iter_mut().find(|(key, _)| key == next) {
                    rename(types, store, inner, &way[1..], from, to);
                }
            }
        },
    }
}

/// Writes the variables of a fetch as JSON.
struct VariablesWriter {
    out: Vec<u8>,
}

impl VariablesWriter {
    fn new() -> Self {
        Self { out: vec![b'{'] }
    }

    fn name(&mut self, name: &str) {
        if self.out.len() > 1 {
            self.out.push(b',');
        }
        self.out.extend(&*crate::shape::quoted(name));
    }

    fn json(&mut self, name: &str, value: &Json) {
        self.name(name);
        serde_json::to_writer(&mut self.out, value).expect("a value is JSON");
    }

    fn representations(&mut self, name: &str, items: &Representations) {
        self.name(name);
        self.out.push(b'[');
        for (position, item) in items.keys().enumerate() {
            if position > 0 {
                self.out.push(b',');
            }
            self.out.extend(&**item);
        }
        self.out.push(b']');
    }

    fn finish(mut self) -> Bytes {
        self.out.push(b'}');
        self.out.into()
    }
}
