//! The way from the shim into the graph: one operation in, its root field or one [`Problem`] out.
//!
//! No other module knows that the graph speaks GraphQL. Every operation has exactly one root field and is a constant
//! text, so the engine's plan cache holds one plan for it; variables carry everything that a client sent, so no client
//! can shape a query.

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use chassis::{
    admission::{Door, Priority},
    budget::Account,
    deadline,
    graphql::Forwarded,
    tasks::Tasks,
};
use federation::{
    Engine, GraphRequest, OperationKind, OperationKinds, RequestContext, RequestError,
};
use schema::code::ErrorCode;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    credential::{Actor, Credentials},
    error::Problem,
    json::Decimal,
};

/// An operation of the shim's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    /// Its name, as traces and metrics show it.
    pub(super) name: &'static str,
    /// Its text.
    pub(super) text: &'static str,
    /// How urgent it is.
    pub(super) class: Priority,
}

/// One call: what to run, for whom, with which variables.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) operation: &'static Operation,
    pub(super) actor: Actor,
    pub(super) variables: Map<String, Value>,
    pub(super) idempotency_key: Option<HeaderValue>,
    pub(super) traceparent: Option<String>,
    /// When the client leaves, where it said so.
    pub(super) leaves_at: Option<Instant>,
}

impl Call {
    /// A call with the JSON object `variables`, and with the `headers` that mean something to the graph:
    /// `Idempotency-Key` and `traceparent`.
    pub(super) fn new(
        operation: &'static Operation,
        actor: Actor,
        variables: Value,
        headers: &HeaderMap,
    ) -> Self {
        let variables = match variables {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        let traceparent = headers.get("traceparent");
        let traceparent = traceparent.and_then(|value| value.to_str().ok());
        Self {
            operation,
            actor,
            variables,
            idempotency_key: headers.get("idempotency-key").cloned(),
            traceparent: traceparent.map(str::to_owned),
            leaves_at: deadline::patience(headers).map(|patience| Instant::now() + patience),
        }
    }
}

/// Runs calls.
pub(super) struct Graph {
    backend: Backend,
    timeout: Duration,
}

enum Backend {
    Engine {
        engine: Arc<Engine>,
        credentials: Credentials,
        door: Door,
        tasks: Tasks,
    },
    /// Canned responses: the translation is tested without a graph behind it.
    #[cfg(test)]
    Canned(Box<dyn Fn(&Call) -> Value + Send + Sync>),
}

/// What every mutation of the graph gives: what it made, or why it refused.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    order: Option<Made>,
    comment: Option<Made>,
    user_errors: Vec<UserError>,
}

#[derive(Debug, Deserialize)]
struct Made {
    id: Decimal<i64>,
}

#[derive(Debug, Deserialize)]
struct UserError {
    code: String,
    message: String,
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        match ErrorCode::find(&error.code) {
            Some(code) => Self::refused(code, error.message),
            None => Self::masked(ErrorCode::Internal),
        }
    }
}

impl Graph {
    /// A graph in this process; `timeout` bounds every call. Mutations run in `tasks`.
    pub(super) fn new(
        engine: Arc<Engine>,
        credentials: Credentials,
        door: Door,
        timeout: Duration,
        tasks: Tasks,
    ) -> Self {
        Self {
            backend: Backend::Engine {
                engine,
                credentials,
                door,
                tasks,
            },
            timeout,
        }
    }

    /// A graph that responds with whatever `respond` says.
    #[cfg(test)]
    pub(super) fn canned(respond: impl Fn(&Call) -> Value + Send + Sync + 'static) -> Self {
        Self {
            backend: Backend::Canned(Box::new(respond)),
            timeout: Duration::from_secs(1),
        }
    }

    /// Runs a query; `None` when its root field is null and nothing went wrong.
    ///
    /// # Errors
    /// [`Problem`] when the graph gave no data of this shape: the first error's code, masked.
    pub(super) async fn find<T: DeserializeOwned>(&self, call: Call) -> Result<Option<T>, Problem> {
        match self.find_partial(call).await? {
            (None, Some(fault)) => Err(fault),
            (found, _) => Ok(found),
        }
    }

    /// Runs a query whose data may have holes: gives what there is, and the first fault beside it, masked.
    ///
    /// # Errors
    /// As [`Graph::find`]; DEADLINE_EXCEEDED when the client leaves before there is an answer, and then a mutation may still
    /// happen.
    ///
    /// # Cancel safety
    /// A dropped query stops; a mutation that began runs to its end.
    pub(super) async fn find_partial<T: DeserializeOwned>(
        &self,
        call: Call,
    ) -> Result<(Option<T>, Option<Problem>), Problem> {
        let deadline = Instant::now() + self.timeout;
        let (operation, leaves_at) = (call.operation.name, call.leaves_at);
        // The engine obeys the deadline itself; this bound holds when it does not.
        let late = deadline + Duration::from_millis(500);
        let limit = leaves_at.map_or(late, |leaves_at| leaves_at.min(late));
        let has_left = || leaves_at.is_some_and(|leaves_at| leaves_at <= Instant::now());
        let body = match tokio::time::timeout_at(limit, self.respond(call, deadline)).await {
            Ok(body) => body?,
            Err(_) if has_left() => return Err(Problem::client_left()),
            Err(_) => return Err(Problem::masked(ErrorCode::DeadlineExceeded)),
        };
        read(operation, &body)
    }

    /// Runs a query whose root field is never null.
    ///
    /// # Errors
    /// As [`Graph::find`]; null is a fault.
    pub(super) async fn load<T: DeserializeOwned>(&self, call: Call) -> Result<T, Problem> {
        let found = self.find(call).await?;
        found.ok_or_else(|| Problem::masked(ErrorCode::Internal))
    }

    /// Runs a mutation that makes nothing with an id.
    ///
    /// # Errors
    /// The first of the payload's `userErrors`, or as [`Graph::load`].
    pub(super) async fn change(&self, call: Call) -> Result<(), Problem> {
        self.mutate(call).await.map(|_| ())
    }

    /// Runs a mutation and gives the id of what it made.
    ///
    /// # Errors
    /// As [`Graph::change`].
    pub(super) async fn make(&self, call: Call) -> Result<i64, Problem> {
        match self.mutate(call).await? {
            Some(made) => Ok(made.id.0),
            None => Err(Problem::masked(ErrorCode::Internal)),
        }
    }

    async fn mutate(&self, call: Call) -> Result<Option<Made>, Problem> {
        let payload: Payload = self.load(call).await?;
        match payload.user_errors.into_iter().next() {
            Some(refused) => Err(refused.into()),
            None => Ok(payload.order.or(payload.comment)),
        }
    }

    async fn respond(&self, call: Call, deadline: Instant) -> Result<Bytes, Problem> {
        match &self.backend {
            Backend::Engine {
                engine,
                credentials,
                door,
                tasks,
            } => {
                let credential = credentials.of(call.actor);
                let forwarded = Forwarded {
                    principal: Some(credential.principal),
                    token: Some(credential.token),
                    idempotency_key: call.idempotency_key,
                };
                let context = RequestContext {
                    headers: Arc::new(forwarded.headers()),
                    data: Arc::new(forwarded.data()),
                    traceparent: call.traceparent,
                    is_idempotent: forwarded.idempotency_key.is_some(),
                    may_share: false,
                    deadline,
                    leaves_at: call.leaves_at,
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
                if let Some(account) = Account::current() {
                    account.charge(prepared.cost())?;
                }
                let permit = door.admit(call.operation.class, call.leaves_at).await?;
                if prepared.kind() != OperationKind::Mutation {
                    return Ok(permit.hold(engine.execute(&prepared, &context)).await.body);
                }
                let engine = Arc::clone(engine);
                let running =
                    async move { permit.hold(engine.execute(&prepared, &context)).await.body };
                let running = tasks.spawn("rest mutation", running.in_current_span());
                let panicked = |_| Problem::masked(ErrorCode::Internal);
                running.await.map_err(panicked)
            }
            #[cfg(test)]
            Backend::Canned(respond) => Ok(Bytes::from(respond(&call).to_string())),
        }
    }
}

/// The shim's own operation was refused: a fault of ours unless the engine is out of room.
fn refused_operation(operation: &str, error: &RequestError) -> Problem {
    tracing::error!(operation, %error, "the graph refuses an operation of the rest shim");
    Problem::masked(ErrorCode::find(error.code().as_str()).unwrap_or(ErrorCode::Internal))
}

/// Reads the only root field of a response, and the first error beside it. Data of another shape is that error.
fn read<T: DeserializeOwned>(
    operation: &str,
    body: &[u8],
) -> Result<(Option<T>, Option<Problem>), Problem> {
    let response: Response<'_> = serde_json::from_slice(body).map_err(|error| {
        tracing::error!(operation, %error, "the graph's response is not a GraphQL response");
        Problem::masked(ErrorCode::Internal)
    })?;
    let fault = response.errors.first().map(GraphqlError::masked);
    let data = response.data.map_or("null", RawValue::get);
    match serde_json::from_str(data) {
        Ok(RootField(value)) => Ok((value, fault)),
        Err(error) => Err(fault.unwrap_or_else(|| {
            tracing::error!(operation, %error, "the graph's data has another shape");
            Problem::masked(ErrorCode::Internal)
        })),
    }
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    errors: Vec<GraphqlError>,
}

#[derive(Deserialize)]
struct GraphqlError {
    #[serde(default)]
    extensions: Map<String, Value>,
}

impl GraphqlError {
    fn masked(&self) -> Problem {
        let code = self.extensions.get("code").and_then(Value::as_str);
        Problem::masked(
            code.and_then(ErrorCode::find)
                .unwrap_or(ErrorCode::Internal),
        )
    }
}

/// `data` of an operation with one root field, whatever its name.
struct RootField<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for RootField<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Root<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Root<T> {
            type Value = RootField<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one root field")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RootField<T>, A::Error> {
                let field = map.next_entry::<IgnoredAny, Option<T>>()?;
                Ok(RootField(field.and_then(|(_, value)| value)))
            }
        }
        deserializer.deserialize_map(Root(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(body: &Value) -> Result<String, ErrorCode> {
        match read("test", body.to_string().as_bytes()) {
            Ok((Some(found), _)) => Ok(found),
            Ok((None, Some(problem))) | Err(problem) => Err(problem.code),
            Ok((None, None)) => Err(ErrorCode::NotFound),
        }
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
