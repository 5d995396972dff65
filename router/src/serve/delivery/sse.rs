//! Server-sent events: GraphQL over SSE, distinct connections mode.
//!
//! Each frame is `id: <cursor>`, `event: next`, `data: <response>`; the end is `event: complete`. A browser's
//! `EventSource` sends the last id back as `Last-Event-ID` by itself, so a dropped connection resumes without code.
//! Source: graphql-sse PROTOCOL.md; the event-stream format of the HTML standard.

use axum::http::HeaderValue;
use bytes::Bytes;

use super::encoding::Encoding;
use crate::error::RequestError;

/// The event-stream format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sse;

impl Encoding for Sse {
    fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static("text/event-stream; charset=utf-8")
    }

    fn next(&self, cursor: Option<&str>, body: &[u8]) -> Bytes {
        let mut text = Vec::with_capacity(body.len() + 160);
        if let Some(cursor) = cursor {
            text.extend_from_slice(b"id: ");
            text.extend_from_slice(cursor.as_bytes());
            text.push(b'\n');
        }
        text.extend_from_slice(b"event: next\n");
        // A line break inside of JSON stands between tokens, where a client that joins the lines reads it as space.
        for line in body.split(|byte| matches!(byte, b'\n' | b'\r')) {
            text.extend_from_slice(b"data: ");
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        text.push(b'\n');
        Bytes::from(text)
    }

    /// Says that the stream has begun: its first event may be long in coming.
    fn opening_of_a_stream(&self) -> Bytes {
        self.heartbeat()
    }

    fn heartbeat(&self) -> Bytes {
        Bytes::from_static(b":\n\n")
    }

    fn end(&self, error: Option<&RequestError>) -> Bytes {
        let mut text = Vec::new();
        if let Some(error) = error {
            error.count();
            text.extend_from_slice(&self.next(None, &error.to_body()));
        }
        // The empty data line is needed: a browser drops an event without data.
        text.extend_from_slice(b"event: complete\ndata:\n\n");
        Bytes::from(text)
    }
}

#[cfg(test)]
mod tests {
    use schema::code::ErrorCode;

    use super::*;

    #[test]
    fn a_frame_is_id_event_and_data() {
        let frame = Sse.next(Some("c1"), br#"{"data":1}"#);
        assert_eq!(frame, "id: c1\nevent: next\ndata: {\"data\":1}\n\n");
        assert_eq!(Sse.next(None, b"{\n}"), "event: next\ndata: {\ndata: }\n\n");
    }

    #[test]
    fn the_end_tells_its_error_first() {
        assert_eq!(Sse.end(None), "event: complete\ndata:\n\n");
        let end = Sse.end(Some(&RequestError::new(
            ErrorCode::NotFound,
            "no such order",
        )));
        assert_eq!(
            end,
            "event: next\ndata: {\"errors\":[{\"message\":\"no such order\",\"extensions\":{\"code\":\"NOT_FOUND\"}}]}\n\nevent: complete\ndata:\n\n"
        );
    }
}
