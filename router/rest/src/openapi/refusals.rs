//! The statuses that any call may end with, whatever it does: a document that leaves them out is none.

use serde_json::{Map, Value, json};

/// A status and its reason.
pub(crate) type Refusal = (u16, &'static str);

/// Of every call.
const ALWAYS: [Refusal; 9] = [
    (
        400,
        "An argument, a header or the request itself is malformed.",
    ),
    (408, "The request took too long to arrive."),
    (415, "The body is compressed; send it as it is."),
    (421, "This listener does not answer to that Host."),
    (
        429,
        "Too many requests for the moment; try again after the time in Retry-After.",
    ),
    (431, "The head of the request is too long."),
    (500, "A fault of ours; the message gives nothing away."),
    (
        503,
        "A service is out of reach or overloaded; try again after the time in Retry-After.",
    ),
    (504, "The request took too long; it may have happened."),
];

/// Of every call that changes something.
const OF_CHANGES: [Refusal; 4] = [
    (403, "A page of another origin may not write here."),
    (
        409,
        "The idempotency key belongs to another input, or its first request has not ended.",
    ),
    (413, "The body is longer than 1 MiB."),
    (422, "The idempotency key belongs to another input."),
];

/// Statuses that the listener answers itself, in the form of RFC 9457, or without a body.
const OF_THE_LISTENER: [u16; 5] = [400, 408, 421, 431, 503];

/// Whether a call changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Read,
    Change,
}

/// The responses of a call: that of success, its own refusals, and those of every call.
pub(super) fn responses(success: (u16, Value), own: &[Refusal], effect: Effect) -> Value {
    let mut responses = Map::new();
    responses.insert(success.0.to_string(), success.1);
    let changes = match effect {
        Effect::Change => OF_CHANGES.as_slice(),
        Effect::Read => &[],
    };
    for (status, reason) in own.iter().chain(&ALWAYS).chain(changes) {
        responses
            .entry(status.to_string())
            .or_insert_with(|| refusal(*status, reason));
    }
    responses.sort_keys();
    Value::Object(responses)
}

fn refusal(status: u16, reason: &str) -> Value {
    let mut content = Map::new();
    let schema = |name: &str| json!({"schema": {"$ref": format!("#/components/schemas/{name}")}});
    content.insert("application/json".to_owned(), schema("Error"));
    if OF_THE_LISTENER.contains(&status) {
        content.insert("application/problem+json".to_owned(), schema("Problem"));
    }
    json!({"description": reason, "content": content})
}

/// The form of what the listener itself refuses.
pub(super) fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string"},
        },
    })
}

/// The header that makes a change happen once.
pub(super) fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "A name for this change: repeated with the same input it gives the first response.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    })
}
