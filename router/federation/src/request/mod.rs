//! The words of a request: what comes in, who asks, what goes out, and why it is refused.

mod document_name;
mod error;
mod kind;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, HeaderMap};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

pub use document_name::{DocumentName, document_hash};
pub use error::{Code, GraphqlError, Location, RequestError};
pub use kind::{OperationKind, OperationKinds};

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

/// Who asks, and until when; cheap to clone.
#[derive(Clone)]
pub struct RequestContext {
    /// Sent to every subgraph that is called by HTTP, and to nobody else.
    pub headers: Arc<HeaderMap>,
    /// What subgraphs and root fields of this process find by its type: the caller, for instance.
    pub data: Arc<Extensions>,
    /// W3C trace context of the client.
    pub traceparent: Option<String>,
    /// A mutation whose response was lost may be sent again: its repetition has no second effect.
    pub is_idempotent: bool,
    /// Its queries may have the answer to a fetch that is on its way for somebody who asks the same. Not for who must not
    /// read what was so a moment ago: an event of a stream is completed by what is so after it.
    pub may_share: bool,
    /// No fetch runs past this instant.
    pub deadline: Instant,
    /// When the client leaves, where it said so: a subgraph need not begin anything later, whatever the deadline.
    pub leaves_at: Option<Instant>,
}

impl RequestContext {
    /// A request of nobody in particular.
    #[must_use]
    pub fn anonymous(deadline: Instant) -> Self {
        Self {
            headers: Arc::default(),
            data: Arc::default(),
            traceparent: None,
            is_idempotent: false,
            may_share: false,
            deadline,
            leaves_at: None,
        }
    }

    /// Until when a subgraph may begin something.
    #[must_use]
    pub fn wanted_until(&self) -> Instant {
        let leaves_at = self.leaves_at.unwrap_or(self.deadline);
        self.deadline.min(leaves_at)
    }
}

// Neither headers nor data: both hold secrets.
impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("traceparent", &self.traceparent)
            .field("is_idempotent", &self.is_idempotent)
            .field("may_share", &self.may_share)
            .field("deadline", &self.deadline)
            .field("leaves_at", &self.leaves_at)
            .finish_non_exhaustive()
    }
}

/// Makes the context of each root field of a mutation that has several, from the request's own and the field's response
/// key. The engine looks for it in [`RequestContext::data`]; without it all fields share the request's.
#[derive(Clone)]
pub struct ContextPerField(Arc<MakeContext>);

impl fmt::Debug for ContextPerField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContextPerField")
    }
}

/// Asks for the plan beside the data, in `extensions.queryPlan`. The engine looks for it in [`RequestContext::data`].
#[derive(Debug, Clone, Copy)]
pub struct ShowPlan;

type MakeContext = dyn Fn(&RequestContext, &str) -> RequestContext + Send + Sync;

impl ContextPerField {
    /// Contexts as `make` makes them.
    pub fn new(
        make: impl Fn(&RequestContext, &str) -> RequestContext + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(make))
    }

    /// The context of one root field.
    pub(crate) fn of(ctx: &RequestContext, response_key: &str) -> RequestContext {
        match ctx.data.get::<Self>() {
            Some(Self(make)) => make(ctx, response_key),
            None => ctx.clone(),
        }
    }
}

/// A finished response.
#[derive(Debug, Clone)]
pub struct GraphResponse {
    /// `{"data":..,"errors":..}` as JSON.
    pub body: Bytes,
    /// Whether `data` is not null.
    pub had_data: bool,
    /// The number of errors, those left off the body included.
    pub errors: usize,
    /// The objects that the response holds, or that were fetched before it got too large: what it really cost.
    pub objects: u64,
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
