//! What of a subgraph's `extensions` reaches the client: `idempotency`, by which a replayed mutation says so, and
//! `warnings`, such as one about data that is older than it should be. Anything else stays inside.

use serde_json::{Map, Value};

/// Extensions of one response that are longer than this are ignored.
const MAX_BYTES: usize = 16 * 1024;
/// The most warnings that one response carries.
const MAX_WARNINGS: usize = 50;

/// The extensions of a response in the making.
#[derive(Debug, Default)]
pub(crate) struct Extensions(Map<String, Value>);

impl Extensions {
    /// Takes in the `extensions` of a subgraph's response, as JSON.
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
        let written = self
            .0
            .entry("warnings")
            .or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(written) = written else {
            return;
        };
        for warning in warnings {
            if written.len() < MAX_WARNINGS && !written.contains(&warning) {
                written.push(warning);
            }
        }
    }

    /// Adds what the caller of the engine writes itself.
    pub(crate) fn extend(&mut self, extensions: Map<String, Value>) {
        self.0.extend(extensions);
    }

    /// As they stand in the response; `None` when there are none.
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
