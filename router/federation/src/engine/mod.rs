//! The router without its servers: a request in, an answer out.
//!
//! Two steps, so that a transport can decide between them: [`Engine::prepare`] refuses or plans, and
//! [`Engine::execute`] or [`Engine::execute_event`] runs what was prepared. Start reading at [`Engine::prepare`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use chassis::config::Secret;
use chassis::principal::Principal;
use futures::future::BoxFuture;
use graphql_tools::validation::rules::default_rules_validation_plan;
use graphql_tools::validation::validate::ValidationPlan;
use schema::code::ErrorCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::error::RequestError;
use crate::graph::{Supergraph, TypeTable};
use crate::metrics;
use crate::operation::cache::{Operations, TextKey};
use crate::operation::canonical::{self, Canonical};
use crate::operation::document::Document;
use crate::operation::limits::{self, Limits};
use crate::operation::persisted::PersistedOperations;
use crate::operation::variables;
pub use crate::operation::{OperationKind, OperationKinds};
use crate::plan::compile::{Compiler, ExecPlan};
use crate::plan::explain::explain;
use crate::plan::planner::PlanError;
use crate::plan::shape::{Case, Keys, Shape};
use crate::subgraph::{self, FetchConfig, Subgraph, Transport};

/// A GraphQL request as any transport brings it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GraphRequest {
    /// The operation's text; may be absent when `extensions.persistedQuery` names it.
    pub query: Option<String>,
    /// Needed when the text holds several operations.
    pub operation_name: Option<String>,
    /// Raw values, not yet coerced.
    pub variables: Map<String, Value>,
    /// Protocol extensions.
    pub extensions: Map<String, Value>,
}

/// Who asks, and until when.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The verified caller; `None` when no token came.
    pub principal: Option<Arc<Principal>>,
    /// The token, forwarded to subgraphs in other processes.
    pub token: Option<Secret>,
    /// The header `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// No fetch runs past this instant.
    pub deadline: tokio::time::Instant,
}

/// A finished answer.
#[derive(Debug, Clone)]
pub struct GraphResponse {
    /// `{"data":..,"errors":..}` as JSON.
    pub body: Bytes,
    /// Whether `data` is not null.
    pub had_data: bool,
    /// How many errors the answer holds.
    pub errors: usize,
}

/// The subscription that an operation asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SubscriptionCall {
    /// The root field's name in the schema.
    pub field: String,
    /// Its arguments, coerced, with defaults filled in.
    pub arguments: Map<String, Value>,
    /// The client's name for it.
    pub response_key: String,
}

/// Answers the fields of the `events` subgraph's Query, which the router serves itself.
pub trait RouterFields: Send + Sync {
    /// Resolves one field to JSON by schema field names.
    fn resolve<'a>(
        &'a self,
        field: &'a str,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Value, RequestError>>;
}

/// Settings of the engine, a part of the router's settings.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// How big an operation may be.
    pub limits: Limits,
    /// How subgraphs are called.
    pub fetch: FetchConfig,
    /// How long planning one operation may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub plan_timeout: Duration,
    /// Operations and plans that are kept.
    pub cached_operations: u64,
    /// Bytes of persisted operations that are kept.
    pub persisted_bytes: u64,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            fetch: FetchConfig::default(),
            plan_timeout: Duration::from_secs(2),
            cached_operations: 2_000,
            persisted_bytes: 16 * 1024 * 1024,
        }
    }
}

/// Why a supergraph cannot be served.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// The text is not a schema document.
    #[error("the supergraph cannot be parsed: {0}")]
    Parse(String),
    /// The planner refuses it.
    #[error("the supergraph cannot be planned over: {0}")]
    Planner(String),
    /// A subgraph of the supergraph has no transport.
    #[error("no transport for subgraph {0}")]
    MissingSubgraph(String),
}

/// A planned operation with its variables; cheap to clone.
#[derive(Clone)]
pub struct Prepared {
    pub(crate) graph: Arc<Graph>,
    pub(crate) planned: Arc<Planned>,
    pub(crate) variables: Arc<Map<String, Value>>,
    /// The call behind a subscription.
    call: Option<Arc<SubscriptionCall>>,
    cost: u64,
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

    /// What the operation costs: the objects that its answer may hold.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// The operation's own name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.planned.document.name.as_deref()
    }
}

/// A supergraph with the operations that were planned over it; a reload replaces all of it at once.
pub(crate) struct Graph {
    pub(crate) supergraph: Supergraph,
    operations: Operations<Planned>,
}

/// A planned operation, without variables.
pub(crate) struct Planned {
    document: Arc<Document>,
    /// What the client asked for.
    pub(crate) shape: Arc<Shape>,
    /// Its response keys.
    pub(crate) keys: Keys,
    /// Plans in order, each with the position of its root field if it is a mutation's.
    pub(crate) plans: Vec<(Option<usize>, ExecPlan)>,
}

impl Planned {
    /// The root type's fields.
    pub(crate) fn root(&self) -> Option<&Case> {
        self.shape.cases.first()
    }
}

/// Plans and runs operations over one supergraph.
pub struct Engine {
    config: EngineConfig,
    rules: Arc<ValidationPlan>,
    persisted: PersistedOperations,
    graph: ArcSwap<Graph>,
    pub(crate) subgraphs: HashMap<String, Arc<dyn Subgraph>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// Loads the supergraph and connects its subgraphs; the subgraph `events` is answered by `root`.
    ///
    /// # Errors
    /// [`LoadError`] when the supergraph cannot be parsed or planned over, or a subgraph has no transport.
    pub fn new(
        config: EngineConfig,
        supergraph_sdl: &str,
        subgraphs: BTreeMap<String, Transport>,
        root: Arc<dyn RouterFields>,
    ) -> Result<Self, LoadError> {
        metrics::announce();
        let subgraphs = subgraph::connect(subgraphs, root, &config.fetch);
        let graph = load(&config, supergraph_sdl, &subgraphs)?;
        Ok(Self {
            rules: Arc::new(default_rules_validation_plan()),
            persisted: PersistedOperations::new(config.persisted_bytes),
            graph: ArcSwap::from_pointee(graph),
            subgraphs,
            config,
        })
    }

    /// Serves another supergraph from now on; what is running or prepared ends on the old one.
    ///
    /// # Errors
    /// [`LoadError`], and then the old one stays.
    pub fn reload(&self, supergraph_sdl: &str) -> Result<(), LoadError> {
        let graph = load(&self.config, supergraph_sdl, &self.subgraphs)?;
        self.graph.store(Arc::new(graph));
        Ok(())
    }

    /// Parses, validates, limits and plans; the plan is cached.
    ///
    /// # Errors
    /// [`RequestError`] for whatever the client can mend, and for an operation that cannot be planned.
    pub async fn prepare(
        &self,
        request: &GraphRequest,
        allowed: OperationKinds,
    ) -> Result<Prepared, RequestError> {
        let text = self.persisted.text(request)?;
        let graph = self.graph.load_full();
        let document = self
            .document(&graph, text, request.operation_name.as_deref())
            .await?;
        if !allowed.allow(document.kind) {
            let text = format!("a {} is not taken here", document.kind.as_str());
            return Err(RequestError::new(ErrorCode::MethodNotAllowed, text));
        }
        let types = &graph.supergraph.types;
        let variables = variables::coerce(types, document.variables(), &request.variables)?;
        let planned = self.plan(&graph, document, &variables).await?;
        let cost = limits::cost(&self.config.limits, &planned.shape, &variables);
        limits::check_cost(&self.config.limits, cost)?;
        let call = match planned.document.kind {
            OperationKind::Subscription => Some(Arc::new(call(types, &planned, &variables)?)),
            OperationKind::Query | OperationKind::Mutation => None,
        };
        Ok(Prepared {
            graph,
            planned,
            variables: Arc::new(variables),
            call,
            cost,
        })
    }

    async fn document(
        &self,
        graph: &Arc<Graph>,
        text: Arc<str>,
        name: Option<&str>,
    ) -> Result<Arc<Document>, RequestError> {
        let key = TextKey {
            text: text.clone(),
            name: name.map(Arc::from),
        };
        let wanted = key.name.clone();
        let (rules, limits, owner) = (
            self.rules.clone(),
            self.config.limits.clone(),
            graph.clone(),
        );
        let parse =
            move || Document::parse(&owner.supergraph, &rules, &limits, &text, wanted.as_deref());
        graph.operations.document(key, parse).await
    }

    async fn plan(
        &self,
        graph: &Arc<Graph>,
        document: Arc<Document>,
        variables: &Map<String, Value>,
    ) -> Result<Arc<Planned>, RequestError> {
        let names = document.conditions.iter();
        let values = names
            .clone()
            .map(|name| variables.get(name).and_then(Value::as_bool));
        let values: Vec<_> = values.collect();
        let given = names.filter_map(|name| Some((name.clone(), variables.get(name)?.clone())));
        let given: Map<String, Value> = given.collect();
        let (limits, limit) = (self.config.limits.clone(), self.config.plan_timeout);
        let (owner, wanted) = (graph.clone(), document.clone());
        let plan = move || plan(&owner.supergraph, wanted, &given, &limits, limit);
        graph.operations.plan(document, values, plan).await
    }

    /// The call behind a subscription: which stream, with which arguments; empty for other kinds.
    #[must_use]
    pub fn subscription(&self, prepared: &Prepared) -> SubscriptionCall {
        prepared.call.as_deref().cloned().unwrap_or_default()
    }

    /// The consumer schema as SDL.
    #[must_use]
    pub fn sdl(&self) -> String {
        self.graph.load().supergraph.sdl()
    }

    /// The plan as text.
    #[must_use]
    pub fn explain(&self, prepared: &Prepared) -> String {
        let plans = prepared.planned.plans.iter();
        plans
            .map(|(_, plan)| explain(plan, &prepared.planned.keys))
            .collect()
    }
}

fn call(
    types: &TypeTable,
    planned: &Planned,
    variables: &Map<String, Value>,
) -> Result<SubscriptionCall, RequestError> {
    let fields = planned
        .root()
        .map_or(&[][..], |case| case.fields.as_slice());
    // The validation rules let several names of one field pass, and `__typename` alone.
    let [field] = fields else {
        return Err(not_one_field());
    };
    if field.name.starts_with("__") {
        return Err(not_one_field());
    }
    let root = types.root(OperationKind::Subscription);
    let info = root.and_then(|root| types.field(root, &field.name));
    let definitions = info.map_or(&[][..], |info| info.arguments.as_slice());
    let arguments = variables::arguments(types, definitions, &field.arguments, variables)
        .map_err(|sentence| RequestError::new(ErrorCode::BadVariables, sentence))?;
    let (field, response_key) = (field.name.to_string(), field.response.to_string());
    Ok(SubscriptionCall {
        field,
        arguments,
        response_key,
    })
}

fn not_one_field() -> RequestError {
    let text = "a subscription selects exactly one field of the schema";
    RequestError::new(ErrorCode::GraphqlValidationFailed, text)
}

fn load(
    config: &EngineConfig,
    sdl: &str,
    subgraphs: &HashMap<String, Arc<dyn Subgraph>>,
) -> Result<Graph, LoadError> {
    let supergraph = Supergraph::load(sdl)?;
    if let Some(missing) = supergraph
        .planner
        .subgraphs()
        .find(|name| !subgraphs.contains_key(*name))
    {
        return Err(LoadError::MissingSubgraph(missing.to_owned()));
    }
    Ok(Graph {
        supergraph,
        operations: Operations::new(config.cached_operations),
    })
}

fn plan(
    supergraph: &Supergraph,
    document: Arc<Document>,
    conditions: &Map<String, Value>,
    limits: &Limits,
    limit: Duration,
) -> Result<Planned, RequestError> {
    let Canonical {
        shape,
        keys,
        documents,
    } = canonical::rewrite(&supergraph.types, &document, conditions, limits.fields)?;
    let mut compiler = Compiler::new(keys);
    let mut plans = Vec::with_capacity(documents.len());
    for to_plan in documents {
        let step = supergraph
            .planner
            .plan(&to_plan.document, limit)
            .map_err(not_planned)?;
        let plan = step.map(|step| compiler.compile(step)).unwrap_or_default();
        plans.push((to_plan.root_field, plan));
    }
    Ok(Planned {
        document,
        shape,
        keys: compiler.keys,
        plans,
    })
}

fn not_planned(error: PlanError) -> RequestError {
    tracing::error!(%error, "an operation cannot be planned");
    match error {
        PlanError::TimedOut => RequestError::new(
            ErrorCode::LimitExceeded,
            "planning this operation takes too long",
        )
        .with("limit", "plan_timeout")
        .with("setting", "router.engine.plan_timeout"),
        PlanError::Refused(_) | PlanError::Panicked(_) | PlanError::Unsupported(_) => {
            RequestError::new(ErrorCode::Internal, "this operation cannot be planned")
        }
    }
}
