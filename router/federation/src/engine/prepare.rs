//! From a request to an operation that can run: text, document, variables, plan, limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::engine::steps::Steps;
use crate::engine::{Engine, Served};
use crate::execute::introspection;
use crate::graph::TypeTable;
use crate::operation::cache::TextKey;
use crate::operation::canonical::{self, Canonical};
use crate::operation::document::Document;
use crate::operation::limits::{self, Limits, SETTINGS};
use crate::operation::suggestions;
use crate::operation::variables;
use crate::plan::compile::Compiler;
use crate::plan::error::PlanError;
use crate::plan::waves::waves;
use crate::request::{
    Code, GraphRequest, Location, OperationKind, OperationKinds, RequestError, SubscriptionCall,
};
use crate::shape::{Case, Shape};
use crate::weight::{Counted, Weight, allocation, shared};

/// A planned operation with its variables; cheap to clone.
#[derive(Clone)]
pub struct Prepared {
    pub(super) served: Arc<Served>,
    pub(super) planned: Arc<Planned>,
    pub(super) variables: Arc<Map<String, Value>>,
    subscription: Option<Arc<SubscriptionCall>>,
    cost: u64,
    objects: u64,
}

/// A planned operation, without variables.
pub(super) struct Planned {
    pub(super) document: Arc<Document>,
    /// The operation's text, to plan it anew over another supergraph.
    pub(super) text: Arc<str>,
    /// How often it was asked for.
    pub(super) uses: AtomicU64,
    /// What the client asked for.
    pub(super) shape: Arc<Shape>,
    /// How it is run.
    pub(super) steps: Arc<Steps>,
    /// The objects of introspection, where variables do not change them.
    introspection: Option<u64>,
}

impl Weight for Planned {
    fn heap(&self, counted: &mut Counted) -> usize {
        allocation(self.text.len())
            + shared(&self.document, counted)
            + shared(&self.shape, counted)
            + shared(&self.steps, counted)
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

impl Prepared {
    /// Query, mutation or subscription.
    #[must_use]
    pub fn kind(&self) -> OperationKind {
        self.planned.document.kind
    }

    /// What the operation costs: the objects that its response may hold with the items that it brings along, and for a
    /// long text at least what reading it takes.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// Whether a subscription's events are completed by fetches, rather than by what they bring themselves.
    #[must_use]
    pub fn fetches_for_events(&self) -> bool {
        let plan = self.planned.steps.plans.first();
        plan.is_some_and(|(_, plan)| plan.fetches.len() > 1)
    }

    /// What one frame of a subscription costs: the objects that it may hold.
    #[must_use]
    pub fn frame_cost(&self) -> u64 {
        self.objects
    }

    /// The operation's own name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.planned.document.name.as_deref()
    }

    /// The schema's names of the fields that it asks of the root type, in the response's order.
    pub fn root_fields(&self) -> impl Iterator<Item = &str> {
        let root = self.planned.root().into_iter();
        root.flat_map(|root| root.fields.iter().map(|field| &*field.name))
    }

    /// What the host made of the subscriptions of the supergraph that this is planned over:
    /// [`OwnSubscriptions::data`](crate::OwnSubscriptions::data).
    #[must_use]
    pub fn own(&self) -> &http::Extensions {
        &self.served.own
    }

    /// What a subscription subscribes to; `None` for a query or a mutation.
    #[must_use]
    pub fn subscription(&self) -> Option<&SubscriptionCall> {
        self.subscription.as_deref()
    }
}

impl Planned {
    /// The root type's fields.
    pub(super) fn root(&self) -> Option<&Case> {
        self.shape.cases.first()
    }

    /// Where the operation stands in its text.
    pub(super) fn place(&self) -> Location {
        self.document.place()
    }
}

impl Engine {
    /// Parses, validates, limits and plans; document and plan are cached.
    ///
    /// # Errors
    /// [`RequestError`] for whatever the client can mend, and for an operation that cannot be planned.
    pub async fn prepare(
        &self,
        request: &GraphRequest,
        allowed: OperationKinds,
    ) -> Result<Prepared, RequestError> {
        self.check_sizes(request)
            .map_err(|error| error.or_at(Location::TOP))?;
        let text = self.persisted.text(request)?;
        let work = work(&text);
        let prepared = self.prepare_text(text, request, allowed).await;
        prepared.map_err(|error| error.costing(work))
    }

    /// Before anything is done with them.
    fn check_sizes(&self, request: &GraphRequest) -> Result<(), RequestError> {
        if let Some(text) = &request.query {
            limits::check_text(&self.config.limits, text)?;
        }
        limits::check_values(&self.config.limits, &request.variables)
    }

    async fn prepare_text(
        &self,
        text: Arc<str>,
        request: &GraphRequest,
        allowed: OperationKinds,
    ) -> Result<Prepared, RequestError> {
        let served = self.served.load_full();
        let name = request.operation_name.as_deref();
        let key = TextKey::new(&text, name);
        let document = self.document(&served, key, text.clone(), name).await?;
        let place = document.place();
        let prepared = self.prepare_document(served, key, document, request, allowed, text);
        prepared.await.map_err(|error| error.or_at(place))
    }

    async fn prepare_document(
        &self,
        served: Arc<Served>,
        key: TextKey,
        document: Arc<Document>,
        request: &GraphRequest,
        allowed: OperationKinds,
        text: Arc<str>,
    ) -> Result<Prepared, RequestError> {
        let work = work(&text);
        check_kind(document.kind, allowed)?;
        let types = &served.supergraph.types;
        let variables = variables::coerce(types, document.variables(), &request.variables)?;
        let planned = self.plan(&served, key, document, text, &variables).await?;
        planned.uses.fetch_add(1, Ordering::Relaxed);
        let objects = self.objects(&served, &planned, &variables)?;
        let subscription = subscription(types, &planned, &variables)?;
        Ok(Prepared {
            served,
            planned,
            variables: Arc::new(variables),
            subscription: subscription.map(Arc::new),
            cost: objects.max(work),
            objects,
        })
    }

    /// The objects that a response may hold.
    fn objects(
        &self,
        served: &Served,
        planned: &Planned,
        variables: &Map<String, Value>,
    ) -> Result<u64, RequestError> {
        let limits = &self.config.limits;
        let introspected = planned
            .introspection
            .unwrap_or_else(|| introspected(served, limits, &planned.shape, variables));
        limits::check_introspection(limits, introspected, served.schema_size)?;
        let types = &served.supergraph.types;
        let objects = limits::cost(limits, types, &planned.shape, variables);
        let objects = objects.saturating_add(introspected);
        limits::check_cost(limits, objects)?;
        Ok(objects)
    }

    pub(super) async fn document(
        &self,
        served: &Arc<Served>,
        key: TextKey,
        text: Arc<str>,
        name: Option<&str>,
    ) -> Result<Arc<Document>, RequestError> {
        let wanted = name.map(str::to_owned);
        let (rules, limits) = (self.rules.clone(), self.config.limits.clone());
        let owner = served.clone();
        let is_open = self.config.introspection_enabled != Some(false);
        let parse = move || {
            let document =
                Document::parse(&owner.supergraph, &rules, &limits, &text, wanted.as_deref());
            if is_open {
                // A suggestion tells a name of the schema, as introspection would.
                return document.map_err(|error| suggestions::add(&owner.supergraph.types, error));
            }
            let document = document?;
            document.refuse_introspection()?;
            Ok(document)
        };
        served.operations.document(key, parse).await
    }

    pub(super) async fn plan(
        &self,
        served: &Arc<Served>,
        key: TextKey,
        document: Arc<Document>,
        text: Arc<str>,
        variables: &Map<String, Value>,
    ) -> Result<Arc<Planned>, RequestError> {
        let names = document.conditions.iter();
        let values = names.map(|name| variables.get(name).and_then(Value::as_bool));
        let values: Vec<_> = values.collect();
        let names = document.conditions.iter();
        let given = names.filter_map(|name| Some((name.clone(), variables.get(name)?.clone())));
        let given: Map<String, Value> = given.collect();
        let (limits, timeout) = (self.config.limits.clone(), self.config.plan_timeout);
        let owner = served.clone();
        let plan = move || plan(&owner, document, text, &given, &limits, timeout);
        served.operations.plan(key, values, plan).await
    }
}

/// Texts up to this long cost nothing to be read beyond what they ask for.
const SHORT: usize = 1_024;
/// Bytes of a longer text that cost as much to read and to check as an object costs to fetch and to write.
const BYTES_OF_A_UNIT: usize = 32;

/// What reading a text costs, in the units of an operation's cost; at least 1.
fn work(text: &str) -> u64 {
    if text.len() <= SHORT {
        return 1;
    }
    u64::try_from(text.len() / BYTES_OF_A_UNIT).unwrap_or(u64::MAX)
}

fn check_kind(kind: OperationKind, allowed: OperationKinds) -> Result<(), RequestError> {
    if allowed.allow(kind) {
        return Ok(());
    }
    let text = format!("a {} is not taken here", kind.as_str());
    Err(RequestError::new(Code::METHOD_NOT_ALLOWED, text))
}

fn plan(
    served: &Served,
    document: Arc<Document>,
    text: Arc<str>,
    conditions: &Map<String, Value>,
    limits: &Limits,
    timeout: Duration,
) -> Result<Planned, RequestError> {
    let types = &served.supergraph.types;
    let Canonical {
        shape,
        keys,
        documents,
    } = canonical::rewrite(types, &document, conditions, limits.fields)?;
    let steps = served.steps.find(keys, &documents, |keys| {
        let mut compiler = Compiler::new(keys);
        let mut plans = Vec::with_capacity(documents.len());
        for to_plan in &documents {
            let step = served.planner.plan(&to_plan.document, timeout);
            let step = step.map_err(not_planned)?;
            let plan = step
                .map(|step| compiler.compile(waves(step, types)))
                .unwrap_or_default();
            plans.push((to_plan.root_field, plan));
        }
        let keys = compiler.keys;
        Ok(Steps { keys, plans })
    })?;
    let is_fixed = document.variables().is_empty();
    let introspection = is_fixed.then(|| introspected(served, limits, &shape, &Map::new()));
    Ok(Planned {
        document,
        text,
        uses: AtomicU64::new(0),
        shape,
        steps,
        introspection,
    })
}

/// The objects of introspection, counted up to the first that is over the limit.
fn introspected(
    served: &Served,
    limits: &Limits,
    shape: &Shape,
    variables: &Map<String, Value>,
) -> u64 {
    let max = served
        .schema_size
        .saturating_mul(limits.introspection_schemas);
    introspection::count(&served.supergraph.consumer, shape, variables, max)
}

fn not_planned(error: PlanError) -> RequestError {
    tracing::error!(%error, "an operation cannot be planned");
    match error {
        PlanError::TimedOut => {
            let text = "planning this operation takes too long";
            RequestError::new(Code::LIMIT_EXCEEDED, text)
                .with("limit", "plan_timeout")
                .with("setting", format!("{SETTINGS}.plan_timeout"))
        }
        PlanError::Refused(_) | PlanError::Panicked(_) | PlanError::Unsupported(_) => {
            RequestError::new(Code::INTERNAL, "this operation cannot be planned")
        }
    }
}

fn subscription(
    types: &TypeTable,
    planned: &Planned,
    variables: &Map<String, Value>,
) -> Result<Option<SubscriptionCall>, RequestError> {
    if planned.document.kind != OperationKind::Subscription {
        return Ok(None);
    }
    let fields = planned
        .root()
        .map_or(&[][..], |case| case.fields.as_slice());
    // The validation rules let several names of one field pass, and `__typename` alone.
    let [field] = fields else {
        return Err(not_one_field(&planned.document));
    };
    if field.name.starts_with("__") {
        return Err(not_one_field(&planned.document));
    }
    let root = types.root(OperationKind::Subscription);
    let info = root.and_then(|root| types.field(root, &field.name));
    let definitions = info.map_or(&[][..], |info| info.arguments.as_slice());
    let arguments = variables::arguments(types, definitions, &field.arguments, variables)
        .map_err(|sentence| RequestError::new(Code::BAD_VARIABLES, sentence))?;
    Ok(Some(SubscriptionCall {
        field: field.name.to_string(),
        arguments,
        response_key: field.response.to_string(),
    }))
}

fn not_one_field(document: &Document) -> RequestError {
    let text = "a subscription selects exactly one field of the schema";
    let error = RequestError::new(Code::GRAPHQL_VALIDATION_FAILED, text);
    error.or_at(document.place())
}
