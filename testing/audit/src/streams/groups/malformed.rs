//! Messages that are none of the protocol's: each closes the socket with 4400.
//!
//! Source: graphql-ws PROTOCOL.md, "Invalid message"; `validateMessage` of its server.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::streams::{case::Case, socket::PROTOCOL, socket::Socket, target::Caller};

/// The name of each, and its text. Those about `connection_init` are sent before it, the others after.
const MESSAGES: [(&str, &str); 24] = [
    ("not-json", "{"),
    ("empty", ""),
    ("array", r#"[{"type":"ping"}]"#),
    ("string", r#""ping""#),
    ("no-type", r#"{"id":"a"}"#),
    ("type-number", r#"{"type":1}"#),
    (
        "type-unknown",
        r#"{"type":"start","id":"a","payload":{"query":"{ __typename }"}}"#,
    ),
    (
        "init-string",
        r#"{"type":"connection_init","payload":"token"}"#,
    ),
    ("init-array", r#"{"type":"connection_init","payload":[]}"#),
    ("ping-string", r#"{"type":"ping","payload":"x"}"#),
    ("ping-array", r#"{"type":"ping","payload":[1]}"#),
    ("pong-number", r#"{"type":"pong","payload":1}"#),
    (
        "subscribe-no-id",
        r#"{"type":"subscribe","payload":{"query":"{ __typename }"}}"#,
    ),
    (
        "subscribe-empty-id",
        r#"{"type":"subscribe","id":"","payload":{"query":"{ __typename }"}}"#,
    ),
    (
        "subscribe-id-number",
        r#"{"type":"subscribe","id":1,"payload":{"query":"{ __typename }"}}"#,
    ),
    ("subscribe-no-payload", r#"{"type":"subscribe","id":"a"}"#),
    (
        "subscribe-null",
        r#"{"type":"subscribe","id":"a","payload":null}"#,
    ),
    (
        "subscribe-no-query",
        r#"{"type":"subscribe","id":"a","payload":{}}"#,
    ),
    (
        "query-number",
        r#"{"type":"subscribe","id":"a","payload":{"query":7}}"#,
    ),
    (
        "operation-name-number",
        r#"{"type":"subscribe","id":"a","payload":{"query":"{ __typename }","operationName":7}}"#,
    ),
    (
        "variables-string",
        r#"{"type":"subscribe","id":"a","payload":{"query":"{ __typename }","variables":"x"}}"#,
    ),
    (
        "variables-array",
        r#"{"type":"subscribe","id":"a","payload":{"query":"{ __typename }","variables":[]}}"#,
    ),
    (
        "extensions-array",
        r#"{"type":"subscribe","id":"a","payload":{"query":"{ __typename }","extensions":[]}}"#,
    ),
    ("complete-no-id", r#"{"type":"complete"}"#),
];

pub(super) fn cases() -> Vec<Case> {
    let of_text = |(name, text): (&'static str, &'static str)| {
        Case::new(name, "4400", move |caller: Caller| async move {
            let is_init = text.contains("connection_init");
            let mut socket = if is_init {
                Socket::connect(&caller, Some(PROTOCOL)).await?
            } else {
                Socket::greeted(&caller).await?
            };
            socket.send(Message::text(text)).await?;
            socket.closes(&[4400]).await
        })
    };
    let mut cases: Vec<Case> = MESSAGES.into_iter().map(of_text).collect();
    let before = "4400 also before connection_init";
    cases.push(Case::new("before-init", before, |caller| async move {
        let mut socket = Socket::connect(&caller, Some(PROTOCOL)).await?;
        socket.say(&json!({"type": "start"})).await?;
        socket.closes(&[4400]).await
    }));
    let binary = "4400, or WebSocket's own 1003";
    cases.push(Case::new("binary", binary, |caller| async move {
        let mut socket = Socket::greeted(&caller).await?;
        socket.send(Message::binary(vec![1_u8, 2])).await?;
        socket.closes(&[4400, 1003]).await
    }));
    cases
}
