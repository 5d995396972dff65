//! The messages of `graphql-transport-ws`.
//!
//! Source: graphql-ws PROTOCOL.md, and its `validateMessage`: what a message has besides is ignored, what it has in a wrong
//! form closes the socket.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::close::Close;
use crate::serve::multiplex::ID_MAX;

/// The subprotocol's name.
pub(super) const PROTOCOL: &str = "graphql-transport-ws";

/// A payload that clients may leave out.
pub(super) type Payload = Option<Map<String, Value>>;

/// What a client sends.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Incoming {
    ConnectionInit {
        #[serde(default)]
        payload: Payload,
    },
    Ping {
        #[serde(default)]
        payload: Payload,
    },
    Pong {
        #[serde(default, rename = "payload")]
        _payload: Payload,
    },
    Subscribe {
        id: String,
        payload: Map<String, Value>,
    },
    Complete {
        id: String,
    },
}

/// Reads a text message.
///
/// # Errors
/// [`Close::BadMessage`] for anything that is not a message of the protocol.
pub(super) fn read(text: &str) -> Result<Incoming, Close> {
    let bad = |why: String| Close::BadMessage(format!("Invalid message: {why}"));
    let message = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
    match &message {
        Incoming::Subscribe { id, .. } | Incoming::Complete { id }
            if id.is_empty() || id.len() > ID_MAX =>
        {
            Err(bad(format!("the id must have 1 to {ID_MAX} bytes")))
        }
        _ => Ok(message),
    }
}

/// `connection_ack`, with the cursor from which a subscription resumes that breaks before its first event.
pub(super) fn ack(cursor: Option<&str>) -> Value {
    match cursor {
        Some(cursor) => json!({"type": "connection_ack", "payload": {"cursor": cursor}}),
        None => json!({"type": "connection_ack"}),
    }
}

/// `pong`
pub(super) fn pong(payload: Payload) -> Value {
    match payload {
        None => json!({"type": "pong"}),
        Some(payload) => json!({"type": "pong", "payload": payload}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Meant against payloads of any JSON type.
    #[test]
    fn messages_outside_of_the_protocol_are_refused() {
        let long = format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(256));
        for text in [
            "",
            "{}",
            "[]",
            r#"{"type":"start"}"#,
            r#"{"type":"next","id":"a","payload":{}}"#,
            r#"{"type":"connection_ack"}"#,
            r#"{"type":"connection_init","payload":"token"}"#,
            r#"{"type":"connection_init","payload":[]}"#,
            r#"{"type":"ping","payload":"x"}"#,
            r#"{"type":"ping","payload":1}"#,
            r#"{"type":"pong","payload":false}"#,
            r#"{"type":"subscribe","id":1,"payload":{}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"a"}"#,
            r#"{"type":"subscribe","id":"a","payload":null}"#,
            r#"{"type":"subscribe","id":"a","payload":[{"query":"{a}"}]}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"complete","id":""}"#,
            &long,
        ] {
            assert!(matches!(read(text), Err(Close::BadMessage(_))), "{text}");
        }
        for text in [
            r#"{"type":"connection_init"}"#,
            r#"{"type":"connection_init","payload":null}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"ping","payload":{}}"#,
            r#"{"type":"pong","payload":null}"#,
            r#"{"type":"subscribe","id":"a","payload":{},"more":1}"#,
            r#"{"type":"complete","id":"a","payload":1}"#,
        ] {
            assert!(read(text).is_ok(), "{text}");
        }
    }
}
