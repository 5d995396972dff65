//! The messages of `graphql-transport-ws`, and the codes with which a socket is closed.
//!
//! Source: graphql-ws PROTOCOL.md.

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::RequestError;

/// The subprotocol's name.
pub(super) const PROTOCOL: &str = "graphql-transport-ws";

/// What a client sends.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Incoming {
    ConnectionInit {
        #[serde(default)]
        payload: Value,
    },
    Ping {
        #[serde(default)]
        payload: Value,
    },
    Pong,
    Subscribe {
        id: String,
        payload: Value,
    },
    Complete {
        id: String,
    },
}

/// Why the server closes a socket. Codes below 4000 are WebSocket's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Close {
    /// The client is gone, or closed the socket itself.
    Gone,
    /// 1000: no operation ran for too long.
    Idle,
    /// 1009: a message is over the body limit.
    TooBig,
    /// 1012: the server shuts down; connect again and resume.
    Restart,
    /// 4290: the client took nothing for too long; connect again and resume.
    SlowConsumer,
    /// 4400: a message that the protocol does not know.
    BadMessage(String),
    /// 4401: an operation before the connection was acknowledged.
    Unauthorized,
    /// 4403: the token is not good, or has ended.
    Forbidden(&'static str),
    /// 4406: the client does not offer the subprotocol.
    Subprotocol,
    /// 4408: no `connection_init` in time.
    InitTimeout,
    /// 4409: the id belongs to a running operation.
    Duplicate(String),
    /// 4429: a second `connection_init`.
    TooManyInits,
}

impl Close {
    /// The close frame; `None` when there is nobody to send it to.
    pub(super) fn frame(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Gone => return None,
            Self::Idle => (
                1000,
                "No operation for too long: connect again for the next".to_owned(),
            ),
            Self::TooBig => (1009, "Message too big".to_owned()),
            Self::Restart => (
                1012,
                "SERVER_DRAINING: resume with the last cursor".to_owned(),
            ),
            Self::SlowConsumer => (
                4290,
                "SLOW_CONSUMER: resume with the last cursor".to_owned(),
            ),
            Self::BadMessage(why) => (4400, why.clone()),
            Self::Unauthorized => (4401, "Unauthorized".to_owned()),
            Self::Forbidden(why) => (4403, (*why).to_owned()),
            Self::Subprotocol => (4406, "Subprotocol not acceptable".to_owned()),
            Self::InitTimeout => (4408, "Connection initialisation timeout".to_owned()),
            Self::Duplicate(id) => (4409, format!("Subscriber for {id} already exists")),
            Self::TooManyInits => (4429, "Too many initialisation requests".to_owned()),
        };
        Some(CloseFrame {
            code,
            reason: Utf8Bytes::from(shorten(reason)),
        })
    }
}

/// Reads a text message.
///
/// # Errors
/// [`Close::BadMessage`] for anything that is not a message of the protocol.
pub(super) fn read(text: &str) -> Result<Incoming, Close> {
    serde_json::from_str(text)
        .map_err(|error| Close::BadMessage(format!("Invalid message: {error}")))
}

/// `connection_ack`
pub(super) fn ack() -> Message {
    Message::text(r#"{"type":"connection_ack"}"#)
}

/// `pong`, with the ping's payload.
pub(super) fn pong(payload: Value) -> Message {
    let message = if payload.is_null() {
        json!({"type": "pong"})
    } else {
        json!({"type": "pong", "payload": payload})
    };
    Message::text(message.to_string())
}

/// `next`; the body is a GraphQL response and goes out as it is.
pub(super) fn next(id: &str, body: &[u8]) -> Message {
    let body = String::from_utf8_lossy(body);
    Message::text(format!(
        r#"{{"id":{},"type":"next","payload":{body}}}"#,
        Value::from(id)
    ))
}

/// `error`, which also ends the operation.
pub(super) fn error(id: &str, error: &RequestError) -> Message {
    error.count();
    let errors: Value = error.to_json();
    Message::text(json!({"id": id, "type": "error", "payload": errors}).to_string())
}

/// `complete`
pub(super) fn complete(id: &str) -> Message {
    Message::text(json!({"id": id, "type": "complete"}).to_string())
}

/// A close reason has at most 123 bytes.
fn shorten(mut reason: String) -> String {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.truncate(end);
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_outside_of_the_protocol_are_refused() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"type":"start"}"#,
            r#"{"type":"subscribe","id":1,"payload":{}}"#,
        ] {
            assert!(matches!(read(text), Err(Close::BadMessage(_))), "{text}");
        }
        assert!(matches!(
            read(r#"{"type":"pong","payload":{}}"#),
            Ok(Incoming::Pong)
        ));
        assert!(matches!(
            read(r#"{"type":"connection_init"}"#),
            Ok(Incoming::ConnectionInit { .. })
        ));
    }

    #[test]
    fn a_close_reason_fits_its_frame() {
        let frame = Close::BadMessage("ü".repeat(200)).frame().unwrap();
        assert!(frame.reason.len() <= 123);
    }
}
