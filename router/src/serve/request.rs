//! Reads a GraphQL request: the parameters of a POST body, a GET's query string, or a WebSocket payload.
//!
//! Invariant: a parameter of the wrong JSON type is refused before the operation's text is looked at.
//! Source: GraphQL over HTTP, 5.1 (request parameters).

use std::error::Error as _;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, header},
};
use chassis::request_rules::without_byte_order_mark;
use federation::GraphRequest;
use http_body_util::LengthLimitError;
use schema::code::ErrorCode;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::documents;
use crate::{config, error::RequestError};

/// Receives a POST body within its bounds of size and time.
///
/// # Errors
/// `PAYLOAD_TOO_LARGE`, and `BAD_REQUEST` for a body that breaks off or takes too long.
pub(crate) async fn read_body(
    config: &config::Http,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, RequestError> {
    let limit = config.body_limit_bytes;
    let too_large = || {
        let setting = "router.http.body_limit_bytes";
        let message = format!("the body is larger than {limit} bytes (setting {setting})");
        RequestError::new(ErrorCode::PayloadTooLarge, message)
            .with("limit", "http.body_limit_bytes")
            .with("max", limit)
            .with("setting", setting)
    };
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if declared.is_some_and(|size| size > limit) {
        return Err(too_large());
    }
    match timeout(config.request_timeout, axum::body::to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.source().is_some_and(|s| s.is::<LengthLimitError>()) => {
            Err(too_large())
        }
        Ok(Err(_)) => Err(bad("the body broke off")),
        Err(_) => Err(bad("the body took too long to arrive")),
    }
}

/// Reads a POST body.
///
/// # Errors
/// `BAD_REQUEST` for anything that is not one GraphQL request in JSON.
pub(crate) fn from_body(body: &[u8]) -> Result<GraphRequest, RequestError> {
    let body = without_byte_order_mark(body);
    if body.is_empty() {
        return Err(bad("the body is empty; send {\"query\": \"...\"}"));
    }
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| bad(format!("the body is not JSON: {error}")))?;
    from_value(value)
}

/// Reads the parameters out of a JSON value.
///
/// # Errors
/// `BAD_REQUEST` as [`from_body`].
pub(crate) fn from_value(value: Value) -> Result<GraphRequest, RequestError> {
    let members = match value {
        Value::Object(members) => members,
        Value::Array(_) => {
            return Err(bad("batches are not served; send one operation a request"));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(bad("the body must be a JSON object"));
        }
    };
    require_operation(parameters(members)?)
}

/// Reads the payload of a `subscribe` message. A blank text is the operation's fault, and not refused here.
///
/// # Errors
/// `BAD_REQUEST` for a parameter of a wrong type, and where no operation is named. Source: graphql-ws PROTOCOL.md, whose
/// server closes the socket then.
pub(crate) fn from_payload(payload: Map<String, Value>) -> Result<GraphRequest, RequestError> {
    let request = parameters(payload)?;
    if request.query.is_none() {
        return require_operation(request);
    }
    Ok(request)
}

/// `extensions.endErrors`: the client wants to be told by an error message why a stream stops before its end, rather than by
/// a connection that breaks.
///
/// # Errors
/// `BAD_REQUEST` when it is not a boolean.
pub(crate) fn tells_end(request: &GraphRequest) -> Result<bool, RequestError> {
    match request.extensions.get("endErrors") {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(tells)) => Ok(*tells),
        Some(Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            Err(bad("extensions.endErrors must be true or false"))
        }
    }
}

fn parameters(mut members: Map<String, Value>) -> Result<GraphRequest, RequestError> {
    let document_id = text(members.remove("documentId"), "documentId")?;
    let mut request = GraphRequest {
        query: text(members.remove("query"), "query")?,
        operation_name: text(members.remove("operationName"), "operationName")?,
        variables: map(members.remove("variables"), "variables")?,
        extensions: map(members.remove("extensions"), "extensions")?,
    };
    if let Some(id) = document_id {
        documents::name(&mut request, &id);
    }
    Ok(request)
}

/// Reads a GET's query string; `variables` and `extensions` are JSON texts.
///
/// # Errors
/// `BAD_REQUEST` as [`from_body`].
pub(crate) fn from_query(query: &str) -> Result<GraphRequest, RequestError> {
    let mut request = GraphRequest::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "query" => request.query = Some(value.into_owned()),
            "documentId" => documents::name(&mut request, &value),
            "operationName" if value.is_empty() => request.operation_name = None,
            "operationName" => request.operation_name = Some(value.into_owned()),
            "variables" => request.variables = map(json(&value, "variables")?, "variables")?,
            "extensions" => request.extensions = map(json(&value, "extensions")?, "extensions")?,
            _ => {}
        }
    }
    require_operation(request)
}

/// Refuses a request that names no operation.
fn require_operation(request: GraphRequest) -> Result<GraphRequest, RequestError> {
    let persisted = request.extensions.contains_key("persistedQuery");
    match &request.query {
        Some(query) if !query.trim().is_empty() => Ok(request),
        None if persisted => Ok(request),
        Some(_) | None => Err(bad("the parameter query is missing")),
    }
}

fn json(text: &str, name: &str) -> Result<Option<Value>, RequestError> {
    if text.is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text)
        .map(Some)
        .map_err(|error| bad(format!("the parameter {name} is not JSON: {error}")))
}

fn text(value: Option<Value>, name: &str) -> Result<Option<String>, RequestError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(bad(format!("the parameter {name} must be a string")))
        }
    }
}

fn map(value: Option<Value>, name: &str) -> Result<Map<String, Value>, RequestError> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::String(_)) => {
            Err(bad(format!("the parameter {name} must be a JSON object")))
        }
    }
}

fn bad(message: impl Into<String>) -> RequestError {
    RequestError::new(ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(body: &str, words: &str) {
        let error = from_body(body.as_bytes()).expect_err("refused");
        assert_eq!(error.code(), ErrorCode::BadRequest);
        assert!(error.errors()[0].message.contains(words), "{error}");
    }

    #[test]
    fn every_parameter_of_a_wrong_type_is_named() {
        refused("", "empty");
        refused("{", "not JSON");
        refused("7", "object");
        refused("[{\"query\":\"{a}\"}]", "batches");
        refused("{}", "query is missing");
        refused("{\"query\":\" \"}", "query is missing");
        refused("{\"query\":1}", "query must be a string");
        refused(
            "{\"query\":\"{a}\",\"operationName\":{}}",
            "operationName must be",
        );
        refused(
            "{\"query\":\"{a}\",\"variables\":\"x\"}",
            "variables must be",
        );
        refused(
            "{\"query\":\"{a}\",\"extensions\":[]}",
            "extensions must be",
        );
    }

    #[test]
    fn a_persisted_operation_needs_no_text() {
        let request = from_body(br#"{"extensions":{"persistedQuery":{}},"variables":null}"#);
        assert_eq!(request.expect("a request").query, None);
        assert!(from_body("\u{feff}{\"query\":\"{a}\"}".as_bytes()).is_ok());
    }

    #[test]
    fn a_query_string_is_decoded_and_its_json_read() {
        let request =
            from_query("query=%7Ba%7D&variables=%7B%22x%22%3A1%7D&operationName=").unwrap();
        assert_eq!(request.query.as_deref(), Some("{a}"));
        assert_eq!(request.variables["x"], 1);
        assert_eq!(request.operation_name, None);
        assert!(from_query("query=%7Ba%7D&variables=[").is_err());
    }
}
