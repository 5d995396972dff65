//! One order as the caller may see it: the authorisation of `orderEvents` and the content of its first frame.
//!
//! The order is read through the graph with the caller's own rights, so the rule who may read lives in loms alone.
//! Invariant: foreign and absent give the same refusal.

use federation::{Engine, GraphRequest, OperationKinds, RequestContext};
use schema::{code::ErrorCode, event::OrderStatus, id::OrderId};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::resume::Seen;
use crate::error::RequestError;

/// What an order's first frame shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) order: OrderId,
    pub(super) version: u32,
    pub(super) status: OrderStatus,
    /// When it came to this status.
    pub(super) at: String,
}

impl Snapshot {
    /// That its client has seen it.
    pub(super) const fn seen(&self) -> Seen {
        Seen::of(self.order.get(), self.version)
    }

    /// Whether no change can follow it.
    pub(super) const fn is_last(&self) -> bool {
        self.status.is_final()
    }
}

/// Reads the order as the caller, by the state of the stream's description.
///
/// # Errors
/// `NOT_FOUND` for a foreign or absent order; the subgraph's own code when it failed.
pub(super) async fn load(
    engine: &Engine,
    state: Option<&str>,
    order: OrderId,
    ctx: &RequestContext,
) -> Result<Snapshot, RequestError> {
    let mut variables = Map::new();
    variables.insert("key".to_owned(), Value::from(order.to_string()));
    let request = GraphRequest {
        query: state.map(str::to_owned),
        variables,
        ..GraphRequest::default()
    };
    let prepared = engine.prepare(&request, OperationKinds::QUERY).await?;
    read(order, &engine.execute(&prepared, ctx).await.body)
}

#[derive(Deserialize)]
struct Response {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Data {
    order: Option<Order>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    version: u32,
    status: String,
    created_at: String,
    #[serde(default)]
    history: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    version: u32,
    at: String,
}

#[derive(Deserialize)]
struct Fault {
    message: String,
    #[serde(default)]
    extensions: Map<String, Value>,
}

fn read(id: OrderId, body: &[u8]) -> Result<Snapshot, RequestError> {
    let internal = || RequestError::masked(ErrorCode::Internal);
    let response: Response = serde_json::from_slice(body).map_err(|_| internal())?;
    let Some(order) = response.data.and_then(|data| data.order) else {
        return Err(response.errors.first().map_or_else(not_found, refusal));
    };
    let status = OrderStatus::ALL
        .into_iter()
        .find(|status| status.graphql_name() == order.status)
        .ok_or_else(internal)?;
    // An order without its history still shows an instant: its creation.
    let at = order
        .history
        .into_iter()
        .find(|change| change.version == order.version)
        .map_or(order.created_at, |change| change.at);
    Ok(Snapshot {
        order: id,
        version: order.version,
        status,
        at,
    })
}

fn not_found() -> RequestError {
    RequestError::new(ErrorCode::NotFound, "no such order")
}

/// A refusal of a person's rights looks like an absent order; a fault keeps its code.
fn refusal(fault: &Fault) -> RequestError {
    let code = fault
        .extensions
        .get("code")
        .and_then(Value::as_str)
        .and_then(ErrorCode::find);
    match code {
        Some(ErrorCode::NotFound | ErrorCode::Forbidden) => not_found(),
        Some(code) => RequestError::new(code, fault.message.as_str()),
        None => RequestError::masked(ErrorCode::Internal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> OrderId {
        OrderId::try_from(7).unwrap()
    }

    #[test]
    fn the_moment_is_that_of_the_shown_version() {
        let body =
            br#"{"data":{"order":{"id":"7","version":2,"status":"AWAITING_PAYMENT","createdAt":"a",
            "history":[{"version":1,"at":"a"},{"version":2,"at":"b"}]}}}"#;
        let expected = Snapshot {
            order: order(),
            version: 2,
            status: OrderStatus::AwaitingPayment,
            at: "b".to_owned(),
        };
        assert_eq!(read(order(), body).unwrap(), expected);
    }

    #[test]
    fn foreign_and_absent_look_the_same() {
        let code = |body: &str| read(order(), body.as_bytes()).expect_err(body).to_body();
        let absent = code(r#"{"data":{"order":null}}"#);
        let foreign = code(
            r#"{"data":{"order":null},"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}}]}"#,
        );
        assert_eq!(absent, foreign);
        let fault =
            r#"{"data":null,"errors":[{"message":"x","extensions":{"code":"UNAVAILABLE"}}]}"#;
        assert_eq!(
            read(order(), fault.as_bytes()).unwrap_err().code(),
            ErrorCode::Unavailable
        );
    }
}
