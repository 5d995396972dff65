//! Reading a subgraph's response into the tree.
//!
//! The reader knows what was asked ([`ReadShape`]), so it compares names with the expected next one and keeps the
//! rest as spans. It validates all of the JSON, also what it keeps or skips: spans go to clients verbatim.

mod json;
mod known;

use crate::execute::store::{Fields, ObjectId, Span, Store, Value};
use crate::shape::ReadShape;
use json::{ReadError, Scanner};
use known::Known;

/// A subgraph's response.
#[derive(Debug)]
pub(crate) struct Response<'a> {
    /// `data`; null when it is absent.
    pub(crate) data: Value,
    /// `errors` as JSON, if there are any.
    pub(crate) errors: Option<&'a [u8]>,
    /// `extensions` as JSON, if there are any.
    pub(crate) extensions: Option<&'a [u8]>,
    /// How many objects `data` holds, itself not counted.
    pub(crate) objects: u64,
}

/// Reads a whole response with at most so many objects into a store; spans point into `buffer`, whose bytes these are.
///
/// # Errors
/// [`ReadError`] when the bytes are not a GraphQL response, or it holds more objects.
pub(crate) fn response<'a>(
    bytes: &'a [u8],
    buffer: u32,
    store: &mut Store,
    shape: &ReadShape,
    objects_max: u64,
) -> Result<Response<'a>, ReadError> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(ReadError {
            what: "a response of 4 GiB or more",
            at: 0,
        });
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(ReadError {
            what: "not UTF-8",
            at: error.valid_up_to(),
        });
    }
    let with_data = objects_max.saturating_add(1);
    let mut scanner = Scanner::new(bytes, with_data);
    let mut data = None;
    let mut errors = None;
    let mut extensions = None;
    scanner.expect(b'{', "a response is an object")?;
    scanner.members(|scanner, name| {
        match name {
            b"data" => {
                let mut reader = Reader { buffer, store };
                data = Some(reader.value(scanner, Some((shape, &mut Known::default())))?);
            }
            b"errors" => {
                let range = scanner.skip()?;
                let text = scanner.text(range);
                errors = (text != b"null" && text != b"[]").then_some(text);
            }
            b"extensions" => {
                let range = scanner.skip()?;
                extensions = Some(scanner.text(range));
            }
            _ => {
                scanner.skip()?;
            }
        }
        Ok(())
    })?;
    scanner.end("something after the response")?;
    if data.is_none() && errors.is_none() {
        return Err(scanner.error("neither data nor errors"));
    }
    Ok(Response {
        data: data.unwrap_or(Value::Null),
        errors,
        extensions,
        objects: objects_max.saturating_sub(scanner.objects_left()),
    })
}

/// Reads one value of this process, as a response's `data`.
///
/// # Errors
/// [`ReadError`] when the bytes are not JSON.
pub(crate) fn value(
    bytes: &[u8],
    buffer: u32,
    store: &mut Store,
    shape: &ReadShape,
) -> Result<Value, ReadError> {
    let mut scanner = Scanner::new(bytes, u64::MAX);
    let known = &mut Known::default();
    Reader { buffer, store }.value(&mut scanner, Some((shape, known)))
}

/// The items of a list that was kept as it was written.
pub(crate) fn list_items(bytes: &[u8]) -> Vec<&[u8]> {
    let mut scanner = Scanner::new(bytes, 0);
    let mut items = Vec::new();
    // The bytes were validated when they came in, so an error here cannot lose an item.
    let read = scanner.expect(b'[', "a list").and_then(|()| {
        scanner.items(|scanner| {
            let range = scanner.skip()?;
            items.push(scanner.text(range));
            Ok(())
        })
    });
    debug_assert!(read.is_ok());
    items
}

/// Reads values into a store.
struct Reader<'s> {
    buffer: u32,
    store: &'s mut Store,
}

impl Reader<'_> {
    /// Reads one value; without a shape it is kept as it is written.
    fn value(
        &mut self,
        scanner: &mut Scanner<'_>,
        shape: Option<(&ReadShape, &mut Known)>,
    ) -> Result<Value, ReadError> {
        let Some(first) = scanner.peek() else {
            return Err(scanner.error("a value is missing"));
        };
        match (first, shape) {
            (b'{', Some((shape, known))) => self.object(scanner, shape, known).map(Value::Object),
            (b'[', Some((shape, known))) => {
                scanner.advance(1);
                let mut list = Vec::new();
                scanner.items(|scanner| {
                    list.push(self.value(scanner, Some((shape, known)))?);
                    Ok(())
                })?;
                Ok(Value::List(list))
            }
            _ => {
                let range = scanner.skip()?;
                if scanner.text(range) == b"null" {
                    return Ok(Value::Null);
                }
                Ok(Value::Leaf(span(self.buffer, range)))
            }
        }
    }

    fn object(
        &mut self,
        scanner: &mut Scanner<'_>,
        shape: &ReadShape,
        known: &mut Known,
    ) -> Result<ObjectId, ReadError> {
        let start = scanner.at();
        if let Some(object) = known.find(scanner.bytes(), start) {
            scanner.count_objects(object.count)?;
            scanner.advance(object.len);
            self.store.share(object.id);
            return Ok(object.id);
        }
        let left = scanner.objects_left();
        scanner.count_objects(1)?;
        scanner.advance(1);
        let mut fields: Fields = Vec::with_capacity(shape.fields.len());
        let mut next = 0;
        // The member after the furthest that was read; what comes before it may come a second time.
        let mut furthest = 0;
        scanner.members(|scanner, name| {
            // Subgraphs respond in the order of the request, so the next field is nearly always the expected one.
            let found = match shape.fields.get(next) {
                Some(field) if *field.name == *name => Some(next),
                _ => shape.fields.iter().position(|field| *field.name == *name),
            };
            let Some(position) = found else {
                scanner.skip()?;
                return Ok(());
            };
            next = position + 1;
            let field = &shape.fields[position];
            let child = field.child.as_ref();
            let child = child.map(|child| (child, known.below(position, shape.fields.len())));
            let value = self.value(scanner, child)?;
            // Of two members of one name the last counts, as in other readers.
            let before = match position < furthest {
                true => fields.iter_mut().find(|(key, _)| *key == field.key),
                false => None,
            };
            match before {
                Some((_, there)) => *there = value,
                None => fields.push((field.key, value)),
            }
            furthest = furthest.max(position + 1);
            Ok(())
        })?;
        let count = left - scanner.objects_left();
        let id = self.store.object(fields, count);
        known.keep(id, count, start, scanner.at());
        Ok(id)
    }
}

fn span(buffer: u32, (start, end): (usize, usize)) -> Span {
    let narrow = |at| u32::try_from(at).expect("responses are shorter than 4 GiB");
    Span {
        buffer,
        start: narrow(start),
        end: narrow(end),
    }
}

#[cfg(test)]
mod tests;
