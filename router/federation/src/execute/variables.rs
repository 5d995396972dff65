//! The variables of a fetch as JSON bytes.

use bytes::Bytes;
use serde_json::Value as Json;

use crate::execute::representations::Representations;
use crate::shape::quoted;

/// Writes the variables of a fetch as JSON.
pub(crate) struct VariablesWriter {
    out: Vec<u8>,
}

impl VariablesWriter {
    /// An object without members yet.
    pub(crate) fn new() -> Self {
        Self { out: vec![b'{'] }
    }

    fn name(&mut self, name: &str) {
        if self.out.len() > 1 {
            self.out.push(b',');
        }
        self.out.extend(&*quoted(name));
    }

    /// Adds a variable of the client.
    pub(crate) fn json(&mut self, name: &str, value: &Json) {
        self.name(name);
        serde_json::to_writer(&mut self.out, value).expect("a value is JSON");
    }

    /// Adds a list of representations, which are JSON already.
    pub(crate) fn representations(&mut self, name: &str, items: &Representations) {
        self.name(name);
        self.out.push(b'[');
        for (position, item) in items.keys().enumerate() {
            if position > 0 {
                self.out.push(b',');
            }
            self.out.extend(&**item);
        }
        self.out.push(b']');
    }

    /// Closes the object.
    pub(crate) fn finish(mut self) -> Bytes {
        self.out.push(b'}');
        self.out.into()
    }
}
