//! The texts and flags of introspection, as the store keeps leaves: JSON in one buffer.

use crate::execute::store::{Span, Value};

/// The leaves so far.
pub(super) struct Leaves {
    /// The number of the buffer that they will be kept in.
    pub(super) buffer: u32,
    /// All of them as JSON.
    pub(super) out: Vec<u8>,
}

impl Leaves {
    /// A text, or null.
    pub(super) fn optional(&mut self, text: Option<&str>) -> Value {
        text.map_or(Value::Null, |text| self.text(text))
    }

    /// A text.
    pub(super) fn text(&mut self, text: &str) -> Value {
        let json = serde_json::to_vec(text).expect("a string is JSON");
        self.leaf(&json)
    }

    /// True or false.
    pub(super) fn flag(&mut self, flag: bool) -> Value {
        self.leaf(if flag { b"true" } else { b"false" })
    }

    fn leaf(&mut self, json: &[u8]) -> Value {
        let narrow = |at| u32::try_from(at).expect("a schema is shorter than 4 GiB");
        let start = narrow(self.out.len());
        self.out.extend(json);
        Value::Leaf(Span {
            buffer: self.buffer,
            start,
            end: narrow(self.out.len()),
        })
    }
}
