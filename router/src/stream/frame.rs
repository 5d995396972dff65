//! What one frame of a subscription is, before a transport writes it down.
//!
//! Invariant: a frame's cursor stands in three places that agree: the field `cursor`, `extensions.cursor`, and the id
//! that the transport gives the frame (SSE's `id:`).

use bytes::Bytes;
use chrono::SecondsFormat;
use schema::{
    code::ErrorCode,
    event::{OrderEvent, OrderStatus},
    id::OrderId,
};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{engine::GraphResponse, error::RequestError};

/// One answer of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The place just behind this frame.
    pub cursor: String,
    /// A GraphQL response with `extensions.cursor`.
    pub body: Bytes,
}

/// Why a stream ended.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// What the client is told before `complete`; `None` when nothing went wrong.
    pub error: Option<RequestError>,
}

impl End {
    /// The end of something that has an end, such as a query.
    pub const COMPLETE: Self = Self { error: None };

    /// An end that the client did not ask for, with the cursor from which it can go on.
    #[must_use]
    pub fn resumable(code: ErrorCode, cursor: &str) -> Self {
        let refused = RequestError::masked(code);
        Self {
            error: Some(refused.with("cursor", cursor)),
        }
    }

    /// An end by a refusal.
    #[must_use]
    pub const fn refused(error: RequestError) -> Self {
        Self { error: Some(error) }
    }
}

/// A status change, as the root field's object.
pub(super) fn change(event: &OrderEvent, cursor: &str) -> Value {
    let at = event.moment.to_rfc3339_opts(SecondsFormat::Micros, true);
    order_object(
        "CHANGE",
        cursor,
        event.order_id,
        event.version,
        event.status,
        &at,
    )
}

/// The order as it stands, as the root field's object.
pub(super) fn snapshot(
    cursor: &str,
    order: OrderId,
    version: u32,
    status: OrderStatus,
    at: &str,
) -> Value {
    order_object("SNAPSHOT", cursor, order, version, status, at)
}

/// Lost history, as the root field's object.
pub(super) fn gap(cursor: &str) -> Value {
    json!({
        "kind": "GAP", "cursor": cursor, "orderId": null, "version": null, "status": null,
        "at": null, "order": null,
    })
}

/// Puts the cursor into `extensions` of an answer.
pub(super) fn seal(response: &GraphResponse, cursor: String) -> Frame {
    let body = with_cursor(&response.body, &cursor).unwrap_or_else(|| response.body.clone());
    Frame { cursor, body }
}

fn order_object(
    kind: &str,
    cursor: &str,
    order: OrderId,
    version: u32,
    status: OrderStatus,
    at: &str,
) -> Value {
    let id = order.to_string();
    json!({
        "kind": kind, "cursor": cursor, "orderId": id, "version": version,
        "status": status.graphql_name(), "at": at,
        "order": { "__typename": "Order", "id": id },
    })
}

/// Only the top level is read; data and errors keep their bytes.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    errors: Option<&'a RawValue>,
    #[serde(default)]
    extensions: Map<String, Value>,
}

fn with_cursor(body: &[u8], cursor: &str) -> Option<Bytes> {
    let mut answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    answer.extensions.insert("cursor".to_owned(), cursor.into());
    let mut text = String::with_capacity(body.len() + cursor.len() + 40);
    text.push_str("{\"data\":");
    text.push_str(answer.data.map_or("null", RawValue::get));
    if let Some(errors) = answer.errors {
        text.push_str(",\"errors\":");
        text.push_str(errors.get());
    }
    text.push_str(",\"extensions\":");
    text.push_str(&Value::Object(answer.extensions).to_string());
    text.push('}');
    Some(Bytes::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_joins_the_extensions_and_data_keeps_its_bytes() {
        let sealed = |body: &'static str| {
            let response = GraphResponse {
                body: body.into(),
                had_data: true,
                errors: 0,
            };
            String::from_utf8(seal(&response, "c1".to_owned()).body.to_vec()).unwrap()
        };
        assert_eq!(
            sealed(r#"{"data":{"a":1.50}}"#),
            r#"{"data":{"a":1.50},"extensions":{"cursor":"c1"}}"#
        );
        assert_eq!(
            sealed(
                r#"{"data":null,"errors":[{"message":"x","extensions":{}}],"extensions":{"b":2}}"#
            ),
            r#"{"data":null,"errors":[{"message":"x","extensions":{}}],"extensions":{"b":2,"cursor":"c1"}}"#
        );
    }
}
