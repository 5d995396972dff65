//! A topic's entity as the caller may see it: the authorisation of its stream and the content of the first frame.
//!
//! It is read through the graph with the caller's own rights, so the rule who may read lives in the subgraph alone. Where that is
//! the only rule, what the graph does not show looks the same whether it is absent or somebody else's.

use federation::{Engine, GraphRequest, OperationKinds, RequestContext};
use schema::code::ErrorCode;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    described::Readers,
    topic::{Shown, Subject},
};
use crate::error::RequestError;

/// Reads the state.
///
/// # Errors
/// The graph's refusal, with its code; `NOT_FOUND` where only who sees the state may read the stream, and there is none.
pub(super) async fn load(
    engine: &Engine,
    subject: &Subject,
    ctx: &RequestContext,
) -> Result<Shown, RequestError> {
    let key = subject.key.as_deref();
    let variables = Map::from_iter([("key".to_owned(), Value::from(key))]);
    let request = GraphRequest {
        query: subject.of.state.clone(),
        variables,
        ..GraphRequest::default()
    };
    let prepared = engine.prepare(&request, OperationKinds::QUERY).await?;
    read(subject, &engine.execute(&prepared, ctx).await.body)
}

#[derive(Deserialize)]
struct Response {
    data: Option<Map<String, Value>>,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    message: String,
    #[serde(default)]
    extensions: Map<String, Value>,
}

fn read(subject: &Subject, body: &[u8]) -> Result<Shown, RequestError> {
    let internal = || RequestError::masked(ErrorCode::Internal);
    let response: Response = serde_json::from_slice(body).map_err(|_| internal())?;
    if let Some(fault) = response.errors.first() {
        let code = fault.extensions.get("code").and_then(Value::as_str);
        let code = code.and_then(ErrorCode::find).ok_or_else(internal)?;
        return Err(RequestError::new(code, fault.message.as_str()));
    }
    let data = response.data.ok_or_else(internal)?;
    let state = data.values().next().and_then(Value::as_object);
    if state.is_none() && subject.of.readers == Readers::WhoSeesTheState {
        return Err(RequestError::masked(ErrorCode::NotFound));
    }
    Ok(Shown::state(subject.clone(), state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::described::tests::stock;

    fn read_of(body: &str) -> Result<Option<u32>, ErrorCode> {
        let subject = Subject {
            of: stock(),
            key: Some("7".into()),
        };
        let shown = read(&subject, body.as_bytes());
        shown.map(|it| it.version).map_err(|error| error.code())
    }

    /// Meant against a service that is away and looks like an empty shelf.
    #[test]
    fn a_state_that_cannot_be_read_is_no_state_that_is_none() {
        let some = r#"{"data":{"stock":{"version":4,"available":1}}}"#;
        assert_eq!(read_of(some), Ok(Some(4)));
        assert_eq!(read_of(r#"{"data":{"stock":null}}"#), Ok(Some(0)));
        let away = r#"{"data":{"stock":null},"errors":[{"message":"m","extensions":{"code":"UNAVAILABLE"}}]}"#;
        assert_eq!(read_of(away), Err(ErrorCode::Unavailable));
        assert_eq!(read_of(r#"{"data":null}"#), Err(ErrorCode::Internal));
    }
}
