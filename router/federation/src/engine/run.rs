//! Runs what was prepared: the fetches of its plan, then the response.

use bytes::Bytes;
use serde_json::{Map, Value as Json};

use crate::engine::Engine;
use crate::engine::prepare::{Planned, Prepared};
use crate::execute::budget::Budget;
use crate::execute::run::{first_request, run, run_after, run_after_event};
use crate::execute::state::{Progress, Scope};
use crate::execute::store::Value;
use crate::execute::{introspection, read, response};
use crate::plan::compile::CompiledPlan;
use crate::request::{ContextPerField, GraphResponse, OperationKind, RequestContext, ShowPlan};
use crate::shape::Case;
use crate::subgraph::{FetchError, Listener};

impl Engine {
    /// Runs a query or a mutation.
    ///
    /// # Cancel safety
    /// A dropped query has no effect. A dropped mutation may have happened: retry it with its idempotency key.
    pub async fn execute(&self, prepared: &Prepared, ctx: &RequestContext) -> GraphResponse {
        let planned = &*prepared.planned;
        let Some(root) = planned.root() else {
            return response::empty(&*self.host.telemetry);
        };
        let scope = self.scope(prepared, ctx);
        let budget = Budget::new(&self.config.limits);
        let mut progress = Progress::new(budget, planned.place());
        if ctx.data.get::<ShowPlan>().is_some() {
            let plan = self.plan_as_json(prepared);
            progress
                .extensions
                .extend(Map::from_iter([("queryPlan".to_owned(), plan)]));
        }
        let consumer = &prepared.served.supergraph.consumer;
        introspection::resolve(consumer, &planned.shape, &prepared.variables, &mut progress);
        if prepared.kind() == OperationKind::Mutation {
            one_by_one(scope, planned, root, &mut progress).await;
            self.mutations.ended();
        } else {
            for (_, plan) in &planned.steps.plans {
                run(scope, plan, &mut progress).await;
            }
        }
        response::write(scope, root, progress)
    }

    /// Completes one event of a subscription with whatever the operation asks of the graph.
    ///
    /// `event` is the root field's object by schema field names; `extensions` are written into the response as they
    /// are, beside those of subgraphs.
    ///
    /// # Cancel safety
    /// It only reads.
    pub async fn execute_event(
        &self,
        prepared: &Prepared,
        event: Json,
        extensions: Map<String, Json>,
        ctx: &RequestContext,
    ) -> GraphResponse {
        let planned = &*prepared.planned;
        let Some(root) = planned.root() else {
            return response::empty(&*self.host.telemetry);
        };
        let scope = self.scope(prepared, ctx);
        let budget = Budget::new(&self.config.limits);
        let mut progress = Progress::new(budget, planned.place());
        if let Some((_, plan)) = planned.steps.plans.first() {
            take_event(plan, event, &mut progress);
            run_after_event(scope, plan, &mut progress).await;
        }
        progress.extensions.extend(extensions);
        response::write(scope, root, progress)
    }

    /// Whether the embedding process itself answers for the root field's subgraph.
    #[must_use]
    pub fn is_own_subscription(&self, prepared: &Prepared) -> bool {
        let plan = prepared.planned.steps.plans.first();
        let first = plan.and_then(|(_, plan)| plan.fetches.first());
        let subgraphs = &prepared.served.subgraphs;
        first.is_some_and(|fetch| subgraphs.get(&*fetch.subgraph).is_some_and(|it| it.is_ours))
    }

    /// Listens to a subscription at the subgraph of its root field. What is heard goes to [`Engine::execute_live`].
    ///
    /// # Errors
    /// [`FetchError`] when the subgraph takes no subscriptions, or not this one now.
    pub async fn listen(
        &self,
        prepared: &Prepared,
        ctx: &RequestContext,
    ) -> Result<Listener, FetchError> {
        let scope = self.scope(prepared, ctx);
        let budget = Budget::new(&self.config.limits);
        let mut progress = Progress::new(budget, prepared.planned.place());
        let plan = prepared.planned.steps.plans.first();
        let first = plan.and_then(|(_, plan)| first_request(scope, plan, &mut progress));
        let Some((subgraph, request)) = first else {
            return Err(FetchError::NoSubscriptions);
        };
        match scope.subgraphs.get(&*subgraph) {
            Some(connected) => connected.subgraph.listen(request, ctx).await,
            None => Err(FetchError::NoSubscriptions),
        }
    }

    /// Completes a response of a subscription's subgraph with whatever the operation asks of others. `extensions` are written
    /// into the response as they are.
    ///
    /// # Cancel safety
    /// It only reads.
    pub async fn execute_live(
        &self,
        prepared: &Prepared,
        response: Bytes,
        extensions: Map<String, Json>,
        ctx: &RequestContext,
    ) -> GraphResponse {
        let planned = &*prepared.planned;
        let Some(root) = planned.root() else {
            return response::empty(&*self.host.telemetry);
        };
        let scope = self.scope(prepared, ctx);
        let budget = Budget::new(&self.config.limits);
        let mut progress = Progress::new(budget, planned.place());
        if let Some((_, plan)) = planned.steps.plans.first() {
            run_after(scope, plan, response, &mut progress).await;
        }
        progress.extensions.extend(extensions);
        response::write(scope, root, progress)
    }

    fn scope<'a>(&'a self, prepared: &'a Prepared, ctx: &'a RequestContext) -> Scope<'a> {
        Scope {
            types: &prepared.served.supergraph.types,
            keys: &prepared.planned.steps.keys,
            shape: &prepared.planned.shape,
            kind: match prepared.kind() {
                OperationKind::Mutation => OperationKind::Mutation,
                OperationKind::Query | OperationKind::Subscription => OperationKind::Query,
            },
            variables: &prepared.variables,
            subgraphs: &prepared.served.subgraphs,
            host: &self.host,
            ctx,
        }
    }
}

/// Lets the event stand in for the response of the plan's first fetch, the subscription itself.
fn take_event(plan: &CompiledPlan, event: Json, progress: &mut Progress) {
    let Some(primary) = plan.fetches.first() else {
        return;
    };
    let mut data = Map::new();
    if let Some((key, _)) = primary.fields.first() {
        data.insert(key.clone(), event);
    }
    let bytes = Bytes::from(Json::Object(data).to_string());
    let buffer = progress.store.keep(bytes.clone());
    match read::value(&bytes, buffer, &mut progress.store, &primary.shape) {
        Ok(Value::Object(data)) => progress.store.put_root(data),
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "an event cannot be read"),
    }
}

/// Runs the root fields of a mutation strictly one after another, entity fetches included.
///
/// A field that fails where it must not be null ends the mutation: what follows is not run.
async fn one_by_one(scope: Scope<'_>, planned: &Planned, root: &Case, progress: &mut Progress) {
    for (position, field) in root.fields.iter().enumerate() {
        let mut plans = planned.steps.plans.iter();
        let Some((_, plan)) = plans.find(|(root_field, _)| *root_field == Some(position)) else {
            continue;
        };
        if root.fields.len() > 1 {
            let ctx = ContextPerField::of(scope.ctx, &field.response);
            run(Scope { ctx: &ctx, ..scope }, plan, progress).await;
        } else {
            run(scope, plan, progress).await;
        }
        if progress.budget.is_passed() {
            return;
        }
        if !response::can_be_written(scope, root, field, progress) {
            return;
        }
    }
}
