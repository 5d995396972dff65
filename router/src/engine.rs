//! The router without its servers: a request in, an answer out.
//!
//! Two steps, so that a transport can decide between them: [`Engine::prepare`] refuses or plans, and
//! [`Engine::execute`] or [`Engine::execute_event`] runs what was prepared. Start reading at [`Engine::prepare`].

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chassis::config::Secret;
use chassis::principal::Principal;
use futures::future::BoxFuture;
use schema::code::ErrorCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::error::RequestError;
pub use crate::operation::{OperationKind, OperationKinds};
use crate::subgraph::Transport;

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
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {}

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
#[derive(Debug, Clone)]
pub struct Prepared {
    kind: OperationKind,
}

impl Prepared {
    /// Query, mutation or subscription.
    #[must_use]
    pub fn kind(&self) -> OperationKind {
        self.kind
    }

    /// What the operation costs, with list sizes.
    #[must_use]
    pub fn cost(&self) -> u64 {
        1
    }

    /// The operation's own name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        None
    }
}

/// Plans and runs operations over one supergraph.
pub struct Engine {
    sdl: String,
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
        _config: EngineConfig,
        _supergraph_sdl: &str,
        _subgraphs: BTreeMap<String, Transport>,
        _root: Arc<dyn RouterFields>,
    ) -> Result<Self, LoadError> {
        Ok(Self { sdl: String::new() })
    }

    /// Parses, validates, limits and plans; the plan is cached.
    ///
    /// # Errors
    /// [`RequestError`] for whatever the client can mend, and for an operation that cannot be planned.
    pub async fn prepare(
        &self,
        _request: &GraphRequest,
        _allowed: OperationKinds,
    ) -> Result<Prepared, RequestError> {
        Err(RequestError::masked(ErrorCode::Internal))
    }

    /// Runs a query or a mutation.
    pub async fn execute(&self, _prepared: &Prepared, _ctx: &RequestContext) -> GraphResponse {
        let body = RequestError::masked(ErrorCode::Internal).to_body();
        GraphResponse { body, had_data: false, errors: 1 }
    }

    /// The call behind a subscription: which stream, with which arguments.
    #[must_use]
    pub fn subscription(&self, _prepared: &Prepared) -> SubscriptionCall {
        SubscriptionCall {
            field: String::new(),
            arguments: Map::new(),
            response_key: String::new(),
        }
    }

    /// Completes one event of a subscription with whatever the operation asks of the graph.
    ///
    /// `event` is the root field's object by schema field names.
    pub async fn execute_event(
        &self,
        _prepared: &Prepared,
        _event: Value,
        _ctx: &RequestContext,
    ) -> GraphResponse {
        let body = RequestError::masked(ErrorCode::Internal).to_body();
        GraphResponse { body, had_data: false, errors: 1 }
    }

    /// The consumer schema as SDL.
    #[must_use]
    pub fn sdl(&self) -> String {
        self.sdl.clone()
    }

    /// The plan as text.
    #[must_use]
    pub fn explain(&self, _prepared: &Prepared) -> String {
        String::new()
    }
}
