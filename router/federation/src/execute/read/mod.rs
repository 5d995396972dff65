//! Reading a subgraph's answer into the tree.
//!
//! The reader knows what was asked ([`ReadShape`]), so it compares names with the expected next one and keeps the
//! rest as spans. It validates all of the JSON, also what it keeps or skips: spans go to clients verbatim.

use crate::execute::store::{Span, Value};
use crate::shape::ReadShape;

/// Nesting past this is refused, whatever the operation asked for.
const MAX_NESTING: u32 = 128;

/// What is wrong with an answer, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub(crate) struct ReadError {
    what: &'static str,
    at: usize,
}

/// A subgraph's answer.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    /// `data`, absent or not.
    pub(crate) data: Value,
    /// `errors` as JSON, if there are any.
    pub(crate) errors: Option<&'a [u8]>,
    /// `extensions` as JSON, if there are any.
    pub(crate) extensions: Option<&'a [u8]>,
}

/// Reads a whole answer; spans point into `buffer`, whose bytes these are.
///
/// # Errors
/// [`ReadError`] when the bytes are not a GraphQL answer.
pub(crate) fn answer<'a>(
    bytes: &'a [u8],
    buffer: u32,
    shape: &ReadShape,
) -> Result<Answer<'a>, ReadError> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(ReadError {
            what: "an answer of 4 GiB or more",
            at: 0,
        });
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(ReadError {
            what: "not UTF-8",
            at: error.valid_up_to(),
        });
    }
    let mut reader = Reader {
        bytes,
        at: 0,
        buffer,
        nesting: 0,
    };
    let mut found = None;
    let mut errors = None;
    let mut extensions = None;
    reader.expect(b'{', "an answer is an object")?;
    reader.members(|reader, name| {
        match name {
            b"data" => found = Some(reader.value(Some(shape))?),
            b"errors" => {
                let (start, end) = reader.skip()?;
                let text = &bytes[start..end];
                errors = (text != b"null" && text != b"[]").then_some(text);
            }
            b"extensions" => {
                let (start, end) = reader.skip()?;
                extensions = Some(&bytes[start..end]);
            }
            _ => {
                reader.skip()?;
            }
        }
        Ok(())
    })?;
    reader.space();
    if reader.at != bytes.len() {
        return Err(reader.error("something after the answer"));
    }
    if found.is_none() && errors.is_none() {
        return Err(reader.error("neither data nor errors"));
    }
    Ok(Answer {
        data: found.unwrap_or(Value::Null),
        errors,
        extensions,
    })
}

/// Reads one value, as an answer's `data`.
///
/// # Errors
/// [`ReadError`] when the bytes are not JSON.
pub(crate) fn value(bytes: &[u8], buffer: u32, shape: &ReadShape) -> Result<Value, ReadError> {
    let mut reader = Reader {
        bytes,
        at: 0,
        buffer,
        nesting: 0,
    };
    reader.value(Some(shape))
}

/// The items of a list that was kept as it was written.
pub(crate) fn list_items(bytes: &[u8]) -> Vec<&[u8]> {
    let mut reader = Reader {
        bytes,
        at: 0,
        buffer: 0,
        nesting: 0,
    };
    let mut items = Vec::new();
    // The bytes were validated when they came in, so an error here cannot lose an item.
    let read = reader.expect(b'[', "a list").and_then(|()| {
        reader.items(|reader| {
            let (start, end) = reader.skip()?;
            items.push(&bytes[start..end]);
            Ok(())
        })
    });
    debug_assert!(read.is_ok());
    items
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    buffer: u32,
    nesting: u32,
}

impl<'a> Reader<'a> {
    fn error(&self, what: &'static str) -> ReadError {
        ReadError { what, at: self.at }
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.bytes.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), ReadError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.error(what))
        }
    }

    fn deeper(&mut self) -> Result<(), ReadError> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(self.error("nested too deep"));
        }
        Ok(())
    }

    /// Reads the members of an object, behind its opening brace.
    fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        self.deeper()?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.nesting -= 1;
            return Ok(());
        }
        loop {
            self.space();
            let (start, end) = self.string()?;
            self.expect(b':', "a colon is missing")?;
            member(self, &self.bytes[start + 1..end - 1])?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    self.nesting -= 1;
                    return Ok(());
                }
                _ => return Err(self.error("an object does not end")),
            }
        }
    }

    /// Reads the items of a list, behind its opening bracket.
    fn items(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        self.deeper()?;
        if self.peek() == Some(b']') {
            self.at += 1;
            self.nesting -= 1;
            return Ok(());
        }
        loop {
            item(self)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    self.nesting -= 1;
                    return Ok(());
                }
                _ => return Err(self.error("a list does not end")),
            }
        }
    }

    fn value(&mut self, shape: Option<&ReadShape>) -> Result<Value, ReadError> {
        let Some(first) = self.peek() else {
            return Err(self.error("a value is missing"));
        };
        match (first, shape) {
            (b'{', Some(shape)) => {
                self.at += 1;
                self.object(shape).map(Value::Object)
            }
            (b'[', Some(_)) => {
                self.at += 1;
                let mut list = Vec::new();
                self.items(|reader| {
                    list.push(reader.value(shape)?);
                    Ok(())
                })?;
                Ok(Value::List(list))
            }
            _ => {
                let (start, end) = self.skip()?;
                if &self.bytes[start..end] == b"null" {
                    return Ok(Value::Null);
                }
                Ok(Value::Leaf(self.span(start, end)))
            }
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let narrow = |at| u32::try_from(at).expect("answers are shorter than 4 GiB");
        Span {
            buffer: self.buffer,
            start: narrow(start),
            end: narrow(end),
        }
    }

    fn object(&mut self, shape: &ReadShape) -> Result<Vec<(crate::shape::Key, Value)>, ReadError> {
        let mut fields = Vec::with_capacity(shape.fields.len());
        let mut next = 0;
        self.members(|reader, name| {
            // Subgraphs answer in the order of the question, so the next field is nearly always the expected one.
            let found = match shape.fields.get(next) {
                Some(field) if *field.name == *name => Some(next),
                _ => shape.fields.iter().position(|field| *field.name == *name),
            };
            let Some(position) = found else {
                reader.skip()?;
                return Ok(());
            };
            next = position + 1;
            let field = &shape.fields[position];
            fields.push((field.key, reader.value(field.child.as_ref())?));
            Ok(())
        })?;
        Ok(fields)
    }

    /// Validates one value and gives its first byte and the one after its last.
    fn skip(&mut self) -> Result<(usize, usize), ReadError> {
        let Some(first) = self.peek() else {
            return Err(self.error("a value is missing"));
        };
        let start = self.at;
        match first {
            b'"' => return self.string(),
            b'{' => {
                self.at += 1;
                self.members(|reader, _| reader.skip().map(|_| ()))?;
            }
            b'[' => {
                self.at += 1;
                self.items(|reader| reader.skip().map(|_| ()))?;
            }
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => self.number()?,
        }
        Ok((start, self.at))
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), ReadError> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.error("not a JSON value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn string(&mut self) -> Result<(usize, usize), ReadError> {
        let start = self.at;
        self.expect(b'"', "a string is missing")?;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok((start, self.at));
                }
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) => return Err(self.error("a control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.error("a string does not end")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), ReadError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.error("a broken escape in a string"));
                }
                self.at += 6;
            }
            _ => return Err(self.error("a broken escape in a string")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), ReadError> {
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let leading_zero = self.bytes.get(self.at) == Some(&b'0');
        let whole = self.digits()?;
        if leading_zero && whole > 1 {
            return Err(self.error("a number with a leading zero"));
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<usize, ReadError> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.error("not a JSON value"));
        }
        Ok(self.at - start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shape::{Key, Keys};

    fn shape() -> ReadShape {
        let mut shape = ReadShape::default();
        shape.add("a", Key(1), None);
        let mut inner = ReadShape::default();
        inner.add("c", Key(3), None);
        shape.add("b", Key(2), Some(inner));
        shape
    }

    fn leaf(bytes: &[u8], value: &Value) -> String {
        let Value::Leaf(span) = value else {
            panic!("not a leaf: {value:?}")
        };
        String::from_utf8_lossy(&bytes[span.start as usize..span.end as usize]).into_owned()
    }

    #[test]
    fn leaves_are_kept_as_they_are_written() {
        let text = br#" {"data": {"b":[{"c":1.10}, null], "x":[1,{"y":"}"}], "a" : 123456789012345678901234567890 }} "#;
        let read = answer(text, 0, &shape()).unwrap();
        let Value::Object(fields) = read.data else {
            panic!()
        };
        assert_eq!(fields.len(), 2);
        assert_eq!(leaf(text, &fields[1].1), "123456789012345678901234567890");
        let Value::List(items) = &fields[0].1 else {
            panic!()
        };
        let Value::Object(inner) = &items[0] else {
            panic!()
        };
        assert_eq!(leaf(text, &inner[0].1), "1.10");
        assert_eq!(items[1], Value::Null);
    }

    #[test]
    fn what_is_not_json_is_refused_even_where_it_is_not_asked_for() {
        for text in [
            r#"{"data":{"x":01}}"#,
            r#"{"data":{"x":tru}}"#,
            r#"{"data":{"x":"\q"}}"#,
            r#"{"data":{"x":[1,]}}"#,
            "{\"data\":{\"x\":\"a\nb\"}}",
            r#"{"data":{}} x"#,
            r#"{"data":{"#,
            "[]",
            "{}",
        ] {
            assert!(answer(text.as_bytes(), 0, &shape()).is_err(), "{text}");
        }
    }

    #[test]
    fn endless_nesting_is_refused() {
        let text = format!("{{\"data\":{}", "[".repeat(100_000));
        assert!(answer(text.as_bytes(), 0, &shape()).is_err());
    }

    proptest! {
        /// The reader takes exactly what a full JSON parser takes.
        #[test]
        fn the_reader_agrees_with_a_json_parser(text in r#"[\[\]{}",:0-9eE.+\-a-cntrufls\\ ]{0,24}"#) {
            let wrapped = format!("{{\"data\":{text}}}");
            let theirs = serde_json::from_str::<serde_json::Value>(&wrapped);
            // Numbers out of the range of f64 are JSON, but not for that parser; lone surrogates likewise.
            let excused = theirs.as_ref().is_err_and(|error| {
                let text = error.to_string();
                text.contains("out of range") || text.contains("surrogate")
            });
            let ours = answer(wrapped.as_bytes(), 0, &shape());
            let ours_ok = ours.is_ok();
            let theirs_ok = theirs.as_ref().is_ok_and(|value| value.get("data").is_some());
            prop_assert!(excused || ours_ok == theirs_ok, "{wrapped}: {ours:?} {theirs:?}");
        }
    }

    #[test]
    fn keys_start_with_the_type_name() {
        assert_eq!(Keys::default().find("__typename"), Some(Key::TYPENAME));
    }
}
