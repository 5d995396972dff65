//! What one frame of a subscription is, before a transport writes it down.
//!
//! Invariant: a frame's cursor appears three times, each the same: the field `cursor`, `extensions.cursor`, and the id
//! that the transport gives the frame (SSE's `id:`).

use bytes::Bytes;
use federation::GraphResponse;
use schema::code::ErrorCode;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::error::RequestError;

/// One response of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The cursor just behind this frame.
    pub(crate) cursor: String,
    /// A GraphQL response with `extensions.cursor`.
    pub(crate) body: Bytes,
}

/// Why a stream ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End {
    /// What the client reads before `complete`; `None` when nothing went wrong.
    pub(crate) error: Option<RequestError>,
}

impl End {
    /// The end of something that has an end, such as a query.
    pub(crate) const COMPLETE: Self = Self { error: None };

    /// An end that the client did not ask for, with the cursor from which it can resume.
    pub(crate) fn resumable(code: ErrorCode, cursor: &str) -> Self {
        Self::refused(RequestError::masked(code).with("cursor", cursor))
    }

    /// An end by a refusal.
    pub(crate) const fn refused(error: RequestError) -> Self {
        Self { error: Some(error) }
    }
}

/// Puts the cursor into `extensions` of an answer.
pub(super) fn seal(response: &GraphResponse, cursor: String) -> Frame {
    let body = with_cursor(&response.body, &cursor).unwrap_or_else(|| response.body.clone());
    Frame { cursor, body }
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
