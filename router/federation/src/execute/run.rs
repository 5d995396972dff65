//! Running a plan: each fetch starts as soon as those are done whose data it needs, so a slow one holds back nothing else.
//!
//! A fetch that fails takes nothing else down: its fields stay null and carry one error each. Merging is done by one task, a
//! response at a time, so no lock guards the store.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::select_all;
use serde_json::Value as Json;
use smallvec::SmallVec;

use crate::execute::attribution::{Fault, attribute};
use crate::execute::entities::{distribute, fill_from_cache};
use crate::execute::error::SubgraphError;
use crate::execute::places::objects;
use crate::execute::read;
use crate::execute::rename::rename;
use crate::execute::representations::{self, Representations};
use crate::execute::state::{Call, Progress, Scope};
use crate::execute::store::{ObjectId, Store, Value};
use crate::execute::variables::VariablesWriter;
use crate::plan::compile::{BatchPlan, CompiledPlan, FetchPlan, TargetPlan};
use crate::request::OperationKind;
use crate::subgraph::{FetchError, FetchRequest, Lane};

/// Runs a plan.
///
/// # Cancel safety
/// Dropping it drops the fetches; queries have no effect then, mutations may have happened.
pub(crate) async fn run(scope: Scope<'_>, plan: &CompiledPlan, progress: &mut Progress) {
    Run::new(scope, plan).drive(progress).await;
}

/// Runs a plan whose first fetch needs not be made: what it would bring is there.
///
/// # Cancel safety
/// As [`run`].
pub(crate) async fn run_after_event(
    scope: Scope<'_>,
    plan: &CompiledPlan,
    progress: &mut Progress,
) {
    let mut run = Run::new(scope, plan);
    run.finish(0);
    run.drive(progress).await;
}

/// Runs a plan whose first fetch has brought this response.
///
/// # Cancel safety
/// As [`run`].
pub(crate) async fn run_after(
    scope: Scope<'_>,
    plan: &CompiledPlan,
    response: Bytes,
    progress: &mut Progress,
) {
    let mut run = Run::new(scope, plan);
    let first = plan.fetches.first();
    if let Some(call) = first.and_then(|fetch| prepare(scope, fetch, progress)) {
        run.land((0, call, Ok(response)), progress);
    }
    run.finish(0);
    run.drive(progress).await;
}

/// A fetch with its position in the plan, and what came of it.
type Landed<'a> = (usize, Call<'a>, Result<Bytes, FetchError>);

/// How far a fetch is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    OnItsWay,
    Done,
}

/// A plan that is running.
struct Run<'a> {
    scope: Scope<'a>,
    plan: &'a CompiledPlan,
    /// Of each fetch.
    stages: SmallVec<[Stage; 16]>,
    faults: Vec<(usize, Call<'a>, Fault)>,
}

impl<'a> Run<'a> {
    fn new(scope: Scope<'a>, plan: &'a CompiledPlan) -> Self {
        Self {
            scope,
            plan,
            stages: plan.fetches.iter().map(|_| Stage::Waiting).collect(),
            faults: Vec::new(),
        }
    }

    async fn drive(mut self, progress: &mut Progress) {
        let scope = self.scope;
        let mut flights = Vec::new();
        loop {
            if progress.budget.is_passed() {
                return;
            }
            let mut ready = self.ready(progress);
            let alone = match ready.len() {
                1 if flights.is_empty() => ready.pop(),
                _ => None,
            };
            let landed = match alone {
                // As most are: nothing else is waited for meanwhile.
                Some((position, call)) => fly(scope, position, call).await,
                None => {
                    let calls = ready.into_iter();
                    flights
                        .extend(calls.map(|(position, call)| fly(scope, position, call).boxed()));
                    if flights.is_empty() {
                        break;
                    }
                    let (landed, _, others) = select_all(flights).await;
                    flights = others;
                    landed
                }
            };
            self.land(landed, progress);
        }
        self.tell(progress);
    }

    /// The calls of the fetches that wait for nothing any more. One that has nothing to ask is done.
    fn ready(&mut self, progress: &mut Progress) -> Vec<(usize, Call<'a>)> {
        let mut calls = Vec::new();
        for (position, fetch) in self.plan.fetches.iter().enumerate() {
            let mut after = fetch.after.iter();
            if self.stages[position] != Stage::Waiting
                || !after.all(|before| self.stages[*before] == Stage::Done)
            {
                continue;
            }
            self.stages[position] = match prepare(self.scope, fetch, progress) {
                Some(call) => {
                    calls.push((position, call));
                    Stage::OnItsWay
                }
                None => Stage::Done,
            };
        }
        calls
    }

    /// Takes in what came of a fetch.
    fn land(&mut self, (position, call, response): Landed<'a>, progress: &mut Progress) {
        let fault = match response {
            Ok(bytes) => take(self.scope, &call, bytes, progress),
            Err(error) => Some(Fault::Failed(error)),
        };
        self.faults
            .extend(fault.map(|fault| (position, call, fault)));
        self.finish(position);
    }

    fn finish(&mut self, position: usize) {
        if let Some(stage) = self.stages.get_mut(position) {
            *stage = Stage::Done;
        }
    }

    /// Reports the faults in the order of the plan, whichever came first.
    fn tell(mut self, progress: &mut Progress) {
        self.faults.sort_unstable_by_key(|(position, ..)| *position);
        for (_, call, fault) in self.faults {
            attribute(self.scope, self.plan, &call, fault, progress);
        }
    }
}

/// Makes a fetch.
async fn fly<'a>(scope: Scope<'a>, position: usize, call: Call<'a>) -> Landed<'a> {
    let response = send(scope, &call).await;
    (position, call, response)
}

/// The request of the plan's first fetch, which is what a subscription subscribes to.
pub(crate) fn first_request(
    scope: Scope<'_>,
    plan: &CompiledPlan,
    progress: &mut Progress,
) -> Option<(Arc<str>, FetchRequest)> {
    let fetch = plan.fetches.first()?;
    let call = prepare(scope, fetch, progress)?;
    Some((fetch.subgraph.clone(), call.request))
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
        TargetPlan::Path(path) => {
            if objects(&progress.store, scope.types, path).is_empty() {
                return None;
            }
        }
        TargetPlan::Entities(batches) => {
            for batch in batches {
                let store = &progress.store;
                let found = representations::collect(store, scope.types, &fetch.subgraph, batch);
                let unknown = fill_from_cache(scope, batch, found, progress);
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
        entities: fetch.entities(),
        objects_max: progress
            .budget
            .objects_left()
            .saturating_add(merged(&asked)),
    };
    Some(Call {
        fetch,
        request,
        asked,
    })
}

/// The objects of a response that become one with objects that are there already: its entities.
fn merged(asked: &[Representations]) -> u64 {
    let entities = asked.iter().map(Representations::len).sum::<usize>();
    u64::try_from(entities).unwrap_or(u64::MAX)
}

async fn send(scope: Scope<'_>, call: &Call<'_>) -> Result<Bytes, FetchError> {
    let name = &call.fetch.subgraph;
    let Some(connected) = scope.subgraphs.get(&**name) else {
        return Err(FetchError::Connect(format!("no subgraph {name}")));
    };
    let (request, subgraph) = (call.request.clone(), &connected.subgraph);
    match scope.ctx.data.get::<Lane>() {
        Some(lane) if !connected.is_ours && request.kind == OperationKind::Query => {
            let telemetry = &scope.host.telemetry;
            lane.fetch(name, subgraph, request, scope.ctx, telemetry)
                .await
        }
        _ => subgraph.fetch(request, scope.ctx).await,
    }
}

/// Takes in a subgraph's response, and gives what is wrong with it.
fn take(scope: Scope<'_>, call: &Call<'_>, bytes: Bytes, progress: &mut Progress) -> Option<Fault> {
    if !progress.budget.take_bytes(bytes.len()) {
        return None;
    }
    let buffer = progress.store.keep(bytes.clone());
    let merged = merged(&call.asked);
    let left = progress.budget.objects_left().saturating_add(merged);
    let (store, shape) = (&mut progress.store, &call.fetch.shape);
    let response = match read::response(&bytes, buffer, store, shape, left) {
        Ok(response) => response,
        Err(error) if error.is_too_many_objects() => {
            progress.budget.take_objects(left.saturating_add(1));
            return None;
        }
        Err(error) => return Some(misread(scope, call, error.to_string())),
    };
    if let Some(why) = unfit(call, &progress.store, &response) {
        return Some(misread(scope, call, why.to_owned()));
    }
    if let Some(extensions) = response.extensions {
        progress.extensions.add(extensions);
    }
    let is_whole = response.errors.is_none();
    let fault = response
        .errors
        .map(|errors| read_errors(scope, call, errors, &response.data));
    if fault.as_ref().is_some_and(Fault::is_too_many_objects) {
        // As if the objects had come, so that the client reads the limit and not what was left of it.
        progress.budget.take_objects(left.saturating_add(1));
        return None;
    }
    let added = response.objects.saturating_sub(merged);
    if !progress.budget.take_objects(added) {
        return fault;
    }
    let renames = &call.fetch.renames;
    rename(scope.types, &mut progress.store, &response.data, renames);
    let Value::Object(data) = response.data else {
        return fault;
    };
    match &call.fetch.target {
        TargetPlan::Root => progress.store.put_root(data),
        TargetPlan::Path(path) => {
            for (object, _) in objects(&progress.store, scope.types, path) {
                progress.store.put(object, data);
            }
        }
        TargetPlan::Entities(batches) => {
            take_entities(scope, call, batches, data, is_whole, progress);
        }
    }
    fault
}

/// Why the data of a response cannot be what was asked for. What has errors may have nothing else.
fn unfit(call: &Call<'_>, store: &Store, response: &read::Response<'_>) -> Option<&'static str> {
    let fields = match &response.data {
        Value::Object(data) => store.fields(*data),
        Value::Null if response.errors.is_some() => return None,
        Value::Null => return Some("neither data nor errors"),
        Value::Leaf(_) | Value::List(_) => return Some("data is not an object"),
    };
    let is_entity = |value: &Value| matches!(value, Value::Object(_) | Value::Null);
    let is_list = |batch: &BatchPlan, asked: &Representations| {
        let list = fields.iter().find(|(alias, _)| *alias == batch.alias);
        match list {
            Some((_, Value::List(list))) => list.len() == asked.len() && list.iter().all(is_entity),
            // A list of items that may not be null goes up to data in other servers.
            Some((_, Value::Null)) | None => response.errors.is_some() || asked.is_empty(),
            Some((_, Value::Leaf(_) | Value::Object(_))) => false,
        }
    };
    match &call.fetch.target {
        TargetPlan::Entities(batches) => {
            let is_fit = batches
                .iter()
                .zip(&call.asked)
                .all(|(batch, asked)| is_list(batch, asked));
            (!is_fit).then_some("not one entity for each that was asked for")
        }
        TargetPlan::Root | TargetPlan::Path(_) => {
            let is_empty = fields.is_empty() && response.errors.is_none();
            is_empty.then_some("nothing that was asked for")
        }
    }
}

/// Reads the errors beside a subgraph's data.
fn read_errors(scope: Scope<'_>, call: &Call<'_>, errors: &[u8], data: &Value) -> Fault {
    match serde_json::from_slice::<Vec<Json>>(errors) {
        Ok(errors) => Fault::Reported {
            errors: errors.into_iter().map(SubgraphError::from).collect(),
            is_all: *data == Value::Null,
        },
        Err(_) => {
            let why = "errors are not a list of errors".to_owned();
            misread(scope, call, why)
        }
    }
}

/// A response that turned out to be none.
fn misread(scope: Scope<'_>, call: &Call<'_>, why: String) -> Fault {
    let error = FetchError::Response(why);
    let telemetry = &scope.host.telemetry;
    telemetry.fetch_failed(&call.fetch.subgraph, error.reason());
    Fault::Failed(error)
}

fn take_entities(
    scope: Scope<'_>,
    call: &Call<'_>,
    batches: &[BatchPlan],
    data: ObjectId,
    is_whole: bool,
    progress: &mut Progress,
) {
    for (batch, asked) in batches.iter().zip(&call.asked) {
        let mut lists = progress.store.fields(data).iter();
        let list = lists.rfind(|(alias, _)| *alias == batch.alias);
        if let Some(Value::List(entities)) = list.map(|(_, list)| list.clone()) {
            distribute(scope, batch, asked, entities, is_whole, progress);
        }
    }
}
