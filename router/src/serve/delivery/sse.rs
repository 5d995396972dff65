//! Server-sent events: GraphQL over SSE, distinct connections mode.
//!
//! Each frame is `id: <cursor>`, `event: next`, `data: <response>`; the end is `event: complete`. The first block has an id too,
//! so a client that sends the last one back as `Last-Event-ID`, as `EventSource` does by itself, misses nothing even when the
//! connection breaks before the first frame. `retry:` says how long it should wait, each client another time.
//! Source: graphql-sse PROTOCOL.md; the event-stream format of the HTML standard.

use std::time::Duration;

use axum::http::HeaderValue;
use bytes::Bytes;
use schema::code::ErrorCode;

use super::encoding::Encoding;
use crate::error::RequestError;

/// The event-stream format.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Sse;

impl Sse {
    /// One event. A line break inside of JSON stands between tokens, where a client that joins the lines reads it as space.
    pub(in crate::serve) fn event(name: &str, data: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(data.len() + 40);
        text.extend_from_slice(b"event: ");
        text.extend_from_slice(name.as_bytes());
        for line in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
            text.extend_from_slice(b"\ndata: ");
            text.extend_from_slice(line);
        }
        text.extend_from_slice(b"\n\n");
        text
    }
}

impl Encoding for Sse {
    fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static("text/event-stream; charset=utf-8")
    }

    fn next(&self, cursor: Option<&str>, body: &[u8]) -> Bytes {
        let event = Self::event("next", body);
        Bytes::from(match cursor {
            Some(cursor) => [&b"id: "[..], cursor.as_bytes(), b"\n", &event].concat(),
            None => event,
        })
    }

    /// A block without data dispatches no event, and its id counts. Source: the HTML standard, 9.2.6.
    fn opening_of_a_stream(&self, cursor: &str, pause: Duration) -> Bytes {
        let pause = pause.as_millis();
        Bytes::from(if cursor.is_empty() {
            format!(":\nretry: {pause}\n\n")
        } else {
            format!(":\nid: {cursor}\nretry: {pause}\n\n")
        })
    }

    /// As above, an id without data is no event.
    fn heartbeat(&self, cursor: Option<&str>) -> Bytes {
        match cursor {
            Some(cursor) => Bytes::from(format!(":\nid: {cursor}\n\n")),
            None => Bytes::from_static(b":\n\n"),
        }
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

    fn come_back(&self, error: &RequestError, pause: Duration) -> Bytes {
        error.count();
        let mut text = format!("retry: {}\n", pause.as_millis()).into_bytes();
        text.extend_from_slice(&self.next(None, &error.to_body()));
        Bytes::from(text)
    }

    fn break_off(&self, code: ErrorCode, pause: Duration) -> Bytes {
        let (code, pause) = (code.as_str(), pause.as_millis());
        Bytes::from(format!(": {code}\nretry: {pause}\n\n"))
    }
}

#[cfg(test)]
mod tests {
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
    #[test]
    fn what_comes_before_and_after_the_frames_is_no_event_and_keeps_the_id() {
        let pause = Duration::from_millis(1_500);
        let opening = Sse.opening_of_a_stream("c0", pause);
        assert_eq!(opening, ":\nid: c0\nretry: 1500\n\n");
        let opening = Sse.opening_of_a_stream("", pause);
        assert_eq!(opening, ":\nretry: 1500\n\n");
        assert_eq!(Sse.heartbeat(None), ":\n\n");
        assert_eq!(Sse.heartbeat(Some("c1")), ":\nid: c1\n\n");
        let last = Sse.break_off(ErrorCode::ServerDraining, pause);
        assert_eq!(last, ": SERVER_DRAINING\nretry: 1500\n\n");
    }
}
