//! What of a subgraph's `extensions` reaches the client: the few names that are part of our graph's contract.
//!
//! A replayed mutation says so (`idempotency`), and data that is older than it should be says that (`warnings`).
//! Anything else a subgraph says is between it and the router.

use serde_json::{Map, Value};

/// More bytes of one answer's extensions are not looked at.
const MAX_BYTES: usize = 16 * 1024;
/// The most warnings that one answer carries.
const MAX_WARNINGS: usize = 50;

/// The extensions of an answer in the making.
#[derive(Debug, Default)]
pub(crate) struct Extensions(Map<String, Value>);

impl Extensions {
    /// Takes in the `extensions` of a subgraph's answer, as JSON.
    pub(crate) fn add(&mut self, json: &[u8]) {
        if json.len() > MAX_BYTES {
            return;
        }
        let Ok(Value::Object(mut theirs)) = serde_json::from_slice(json) else {
            return;
        };
        if let Some(idempotency) = theirs.remove("idempotency") {
            self.0.insert("idempotency".to_owned(), idempotency);
        }
        if let Some(Value::Array(warnings)) = theirs.remove("warnings") {
            self.warn(warnings);
        }
    }

    /// The same warning of two fetches is one.
    fn warn(&mut self, warnings: Vec<Value>) {
        let told = self
            .0
            .entry("warnings")
            .or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(told) = told else { return };
        for warning in warnings {
            if told.len() < MAX_WARNINGS && !told.contains(&warning) {
                told.push(warning);
            }
        }
    }

    /// Adds what the caller of the engine writes itself.
    pub(crate) fn extend(&mut self, extensions: Map<String, Value>) {
        self.0.extend(extensions);
    }

    /// As they stand in the answer; `None` when there are none.
    pub(crate) fn into_json(self) -> Option<Value> {
        (!self.0.is_empty()).then_some(Value::Object(self.0))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_replay_and_warnings_pass_and_anything_else_stays_inside() {
        let mut extensions = Extensions::default();
        extensions.add(br#"{"idempotency":{"replayed":true},"tracing":{"secret":1}}"#);
        extensions.add(br#"{"warnings":[{"code":"STALE_PRODUCT"}]}"#);
        extensions.add(br#"{"warnings":[{"code":"STALE_PRODUCT"}]}"#);
        extensions.add(b"[]");
        let expected = json!({
            "idempotency": { "replayed": true },
            "warnings": [{ "code": "STALE_PRODUCT" }],
        });
        assert_eq!(extensions.into_json(), Some(expected));
        assert_eq!(Extensions::default().into_json(), None);
    }
}
