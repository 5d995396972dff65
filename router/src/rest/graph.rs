//! The way from the shim into the graph: one prepared operation in, its data or one [`Problem`] out.
//!
//! Nothing else in `rest` knows that the graph speaks GraphQL. Each operation is a constant text, so the engine's
//! plan cache holds one plan for it; variables carry everything that a client sent, so no client can shape a query.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use schema::code::ErrorCode;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{
    credential::{Actor, Credentials},
    error::Problem,
};
use crate::{
    OperationKinds, RequestError,
    engine::{Engine, GraphRequest, RequestContext},
};

/// An operation of the shim's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    /// Its name, as traces and metrics show it.
    pub(super) name: &'static str,
    /// Its text.
    pub(super) text: &'static str,
}

/// One call: what to run, for whom, with which variables.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) operation: &'static Operation,
    pub(super) actor: Actor,
    pub(super) variables: Map<String, Value>,
    pub(super) idempotency_key: Option<String>,
    pub(super) traceparent: Option<String>,
}

impl Call {
    /// A call; `variables` is a JSON object.
    pub(super) fn new(operation: &'static Operation, actor: Actor, variables: Value) -> Self {
        let variables = match variables {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        Self {
            operation,
            actor,
            variables,
            idempotency_key: None,
            traceparent: None,
        }
    }

    /// Takes over the headers that mean something to the graph: `Idempotency-Key` and `traceparent`.
    pub(super) fn with_headers(mut self, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        self.idempotency_key = text("idempotency-key").map(str::to_owned);
        self.traceparent = text("traceparent").map(str::to_owned);
        self
    }
}

/// Answers calls.
pub(super) struct Graph {
    backend: Backend,
    timeout: Duration,
}

enum Backend {
    Engine {
        engine: Arc<Engine>,
        credentials: Credentials,
    },
    /// Canned answers: the translation is tested without a graph behind it.
    #[cfg(test)]
    Canned(Box<dyn Fn(&Call) -> Value + Send + Sync>),
}

/// The data of an answer, and the first fault that stood beside it.
#[derive(Debug)]
pub(super) struct Reply<T> {
    pub(super) data: T,
    fault: Option<Problem>,
}

impl<T> Reply<T> {
    /// Takes a root field that may be null: null beside a fault is that fault, null alone is `absent`.
    ///
    /// # Errors
    /// The fault, or `absent`.
    pub(super) fn require<U>(
        self,
        field: impl FnOnce(T) -> Option<U>,
        absent: ErrorCode,
    ) -> Result<U, Problem> {
        let Self { data, fault } = self;
        field(data).ok_or_else(|| fault.unwrap_or_else(|| Problem::masked(absent)))
    }
}

/// What a mutation says of a refusal.
#[derive(Debug, Deserialize)]
pub(super) struct UserError {
    code: String,
    message: String,
}

/// The first of a payload's `userErrors` as a problem; nothing when the mutation went through.
///
/// # Errors
/// The refusal.
pub(super) fn accepted(errors: Vec<UserError>) -> Result<(), Problem> {
    let Some(first) = errors.into_iter().next() else {
        return Ok(());
    };
    Err(match ErrorCode::find(&first.code) {
        Some(code) => Problem::refused(code, first.message),
        None => Problem::masked(ErrorCode::Internal),
    })
}

impl Graph {
    /// A graph in this process; `timeout` bounds every call.
    pub(super) fn new(engine: Arc<Engine>, credentials: Credentials, timeout: Duration) -> Self {
        Self {
            backend: Backend::Engine {
                engine,
                credentials,
            },
            timeout,
        }
    }

    /// A graph that answers whatever `answer` says.
    #[cfg(test)]
    pub(super) fn canned(answer: impl Fn(&Call) -> Value + Send + Sync + 'static) -> Self {
        Self {
            backend: Backend::Canned(Box::new(answer)),
            timeout: Duration::from_secs(1),
        }
    }

    /// Runs one operation.
    ///
    /// # Errors
    /// [`Problem`] when the graph gave no data of this shape: the first error's code, masked.
    pub(super) async fn run<T: DeserializeOwned>(&self, call: Call) -> Result<Reply<T>, Problem> {
        let deadline = Instant::now() + self.timeout;
        let operation = call.operation.name;
        // The engine obeys the deadline itself; this bound holds when it does not.
        let late = deadline + Duration::from_millis(500);
        let body = tokio::time::timeout_at(late, self.answer(call, deadline))
            .await
            .map_err(|_| Problem::masked(ErrorCode::DeadlineExceeded))??;
        read(operation, &body)
    }

    async fn answer(&self, call: Call, deadline: Instant) -> Result<Bytes, Problem> {
        match &self.backend {
            Backend::Engine {
                engine,
                credentials,
            } => {
                let credential = credentials.of(call.actor);
                let context = RequestContext {
                    principal: Some(credential.principal),
                    token: Some(credential.token),
                    idempotency_key: call.idempotency_key,
                    traceparent: call.traceparent,
                    deadline,
                };
                let request = GraphRequest {
                    query: Some(call.operation.text.to_owned()),
                    variables: call.variables,
                    ..GraphRequest::default()
                };
                let prepared = engine
                    .prepare(&request, OperationKinds::QUERY_OR_MUTATION)
                    .await
                    .map_err(|error| refused_operation(call.operation.name, &error))?;
                Ok(engine.execute(&prepared, &context).await.body)
            }
            #[cfg(test)]
            Backend::Canned(answer) => Ok(Bytes::from(answer(&call).to_string())),
        }
    }
}

/// The shim's own operation was refused: a fault of ours unless the engine is out of room.
fn refused_operation(operation: &str, error: &RequestError) -> Problem {
    tracing::error!(operation, %error, "the graph refuses an operation of the rest shim");
    Problem::masked(error.code())
}

fn read<T: DeserializeOwned>(operation: &str, body: &[u8]) -> Result<Reply<T>, Problem> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, default)]
        data: Option<&'a serde_json::value::RawValue>,
        #[serde(default)]
        errors: Vec<GraphqlError>,
    }
    #[derive(Deserialize)]
    struct GraphqlError {
        #[serde(default)]
        extensions: Map<String, Value>,
    }

    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|error| {
        tracing::error!(operation, %error, "the graph's answer is no GraphQL answer");
        Problem::masked(ErrorCode::Internal)
    })?;
    let code = |error: &GraphqlError| {
        error
            .extensions
            .get("code")
            .and_then(Value::as_str)
            .and_then(ErrorCode::find)
    };
    let first = answer.errors.first();
    let fault = first.map(|error| Problem::masked(code(error).unwrap_or(ErrorCode::Internal)));
    match serde_json::from_str(answer.data.map_or("null", |data| data.get())) {
        Ok(data) => Ok(Reply { data, fault }),
        Err(error) => Err(fault.unwrap_or_else(|| {
            tracing::error!(operation, %error, "the graph's data has another shape");
            Problem::masked(ErrorCode::Internal)
        })),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Data {
        order: Option<String>,
    }

    fn outcome(body: &Value) -> Result<String, ErrorCode> {
        read::<Data>("test", body.to_string().as_bytes())
            .and_then(|reply| reply.require(|data| data.order, ErrorCode::NotFound))
            .map_err(|problem| problem.code)
    }

    #[test]
    fn null_beside_a_fault_is_the_fault_and_null_alone_is_absence() {
        let fault = json!({"message": "m", "extensions": {"code": "UNAVAILABLE"}});
        assert_eq!(outcome(&json!({"data": {"order": "1"}})), Ok("1".into()));
        assert_eq!(
            outcome(&json!({"data": {"order": null}})),
            Err(ErrorCode::NotFound)
        );
        assert_eq!(
            outcome(&json!({"data": {"order": null}, "errors": [fault]})),
            Err(ErrorCode::Unavailable)
        );
        assert_eq!(
            outcome(&json!({"data": null, "errors": [fault]})),
            Err(ErrorCode::Unavailable)
        );
    }

    #[test]
    fn data_that_came_whole_outweighs_a_warning_beside_it() {
        let warning = json!({"message": "m", "extensions": {"code": "UNAVAILABLE"}});
        assert_eq!(
            outcome(&json!({"data": {"order": "1"}, "errors": [warning]})),
            Ok("1".into())
        );
    }

    #[test]
    fn an_answer_of_another_shape_is_a_fault_of_ours() {
        for body in [
            json!([]),
            json!({"data": {"order": 1}}),
            json!({"data": null}),
            json!({}),
        ] {
            assert_eq!(outcome(&body), Err(ErrorCode::Internal), "{body}");
        }
    }
}
