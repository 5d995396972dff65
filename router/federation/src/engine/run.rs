//! From a prepared operation to the bytes of its answer: the engine's running half.

use bytes::Bytes;
use schema::code::ErrorCode;
use serde_json::Value as Json;

use crate::engine::{Engine, GraphResponse, Planned, Prepared, RequestContext};
use crate::execute::error::{Errors, Report};
use crate::execute::extensions::Extensions;
use crate::execute::read;
use crate::execute::run::{Progress, Scope, run};
use crate::execute::store::merge;
use crate::execute::write::{Bubble, Writer};
use crate::operation::{OperationKind, introspection};
use crate::plan::shape::{Case, ShapeField};

impl Engine {
    /// Runs a query or a mutation.
    ///
    /// # Cancel safety
    /// A dropped query has no effect. A dropped mutation may have happened: retry it with its idempotency key.
    pub async fn execute(&self, prepared: &Prepared, ctx: &RequestContext) -> GraphResponse {
        let planned = &*prepared.planned;
        let Some(root) = planned.root() else {
            return empty();
        };
        let scope = self.scope(prepared, ctx);
        let mut progress = Progress::default();
        let consumer = &prepared.graph.supergraph.consumer;
        introspection::resolve(
            consumer,
            &planned.shape,
            &prepared.variables,
            &mut progress.store,
        );
        if prepared.kind() == OperationKind::Mutation {
            return one_by_one(scope, planned, root, progress).await;
        }
        for (_, plan) in &planned.plans {
            run(scope, plan, 0, &mut progress).await;
        }
        answer(scope, root, progress)
    }

    /// Completes one event of a subscription with whatever the operation asks of the graph.
    ///
    /// `event` is the root field's object by schema field names.
    ///
    /// # Cancel safety
    /// It only reads.
    pub async fn execute_event(
        &self,
        prepared: &Prepared,
        event: Json,
        ctx: &RequestContext,
    ) -> GraphResponse {
        let planned = &*prepared.planned;
        let Some(root) = planned.root() else {
            return empty();
        };
        let scope = self.scope(prepared, ctx);
        let mut progress = Progress::default();
        if let Some((_, plan)) = planned.plans.first()
            && let Some(primary) = plan.waves.first().and_then(|wave| wave.first())
        {
            // The event stands in for the answer of the plan's first fetch, the subscription itself.
            let mut data = serde_json::Map::new();
            if let Some((key, _)) = primary.fields.first() {
                data.insert(key.clone(), event);
            }
            let bytes = Bytes::from(Json::Object(data).to_string());
            let buffer = progress.store.keep(bytes.clone());
            match read::value(&bytes, buffer, &primary.shape) {
                Ok(value) => merge(&mut progress.store.root, value),
                Err(error) => tracing::error!(%error, "an event cannot be read"),
            }
            run(scope, plan, 1, &mut progress).await;
        }
        answer(scope, root, progress)
    }

    fn scope<'a>(&'a self, prepared: &'a Prepared, ctx: &'a RequestContext) -> Scope<'a> {
        Scope {
            types: &prepared.graph.supergraph.types,
            keys: &prepared.planned.keys,
            shape: &prepared.planned.shape,
            kind: match prepared.kind() {
                OperationKind::Mutation => OperationKind::Mutation,
                OperationKind::Query | OperationKind::Subscription => OperationKind::Query,
            },
            variables: &prepared.variables,
            subgraphs: &self.subgraphs,
            ctx,
        }
    }
}

/// Runs the root fields of a mutation strictly one after another, entity fetches included.
///
/// A field that fails where it must not be null ends the mutation: what follows is not run.
async fn one_by_one(
    scope: Scope<'_>,
    planned: &Planned,
    root: &Case,
    mut progress: Progress,
) -> GraphResponse {
    for (position, field) in root.fields.iter().enumerate() {
        let mut plans = planned.plans.iter();
        if let Some((_, plan)) = plans.find(|(root_field, _)| *root_field == Some(position)) {
            run(scope, plan, 0, &mut progress).await;
            if !can_be_written(scope, root, field, &progress) {
                break;
            }
        }
    }
    answer(scope, root, progress)
}

fn can_be_written(scope: Scope<'_>, root: &Case, field: &ShapeField, progress: &Progress) -> bool {
    if !field.ty.is_non_null() {
        return true;
    }
    let mut writer = Writer::new(&progress.store, scope.types, Vec::new());
    writer
        .root_field(root, field, &progress.errors.explained)
        .is_ok()
}

fn answer(scope: Scope<'_>, root: &Case, progress: Progress) -> GraphResponse {
    let Progress {
        store,
        mut errors,
        extensions,
        ..
    } = progress;
    let mut writer = Writer::new(&store, scope.types, Vec::with_capacity(1024));
    writer.out.extend(br#"{"data":"#);
    let start = writer.out.len();
    writer.out.push(b'{');
    let mut written = Ok(());
    for (position, field) in root.fields.iter().enumerate() {
        if position > 0 {
            writer.out.push(b',');
        }
        written = writer.root_field(root, field, &errors.explained);
        if written.is_err() {
            break;
        }
    }
    let had_data = match written {
        Ok(()) => {
            writer.out.push(b'}');
            true
        }
        Err(Bubble) => {
            writer.out.truncate(start);
            writer.out.extend(b"null");
            false
        }
    };
    let out = writer.finish(&mut errors);
    finish(out, had_data, errors, extensions)
}

fn finish(
    mut out: Vec<u8>,
    had_data: bool,
    errors: Errors,
    extensions: Extensions,
) -> GraphResponse {
    let count = errors.len();
    if count > 0 {
        out.extend(br#","errors":"#);
        serde_json::to_writer(&mut out, &errors.into_json()).expect("a value is JSON");
    }
    if let Some(extensions) = extensions.into_json() {
        out.extend(br#","extensions":"#);
        serde_json::to_writer(&mut out, &extensions).expect("a value is JSON");
    }
    out.push(b'}');
    GraphResponse {
        body: out.into(),
        had_data,
        errors: count,
    }
}

/// A root type without fields cannot be asked anything.
fn empty() -> GraphResponse {
    let mut errors = Errors::default();
    errors.add_without_path(&Report::of(ErrorCode::Internal));
    finish(
        br#"{"data":null"#.to_vec(),
        false,
        errors,
        Extensions::default(),
    )
}
