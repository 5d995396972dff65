//! A cursor: a place in the order-event stream that is good on every router node and across restarts.
//!
//! It holds the stream's epoch (which incarnation of the topic the offsets belong to) and, for every partition,
//! the next offset to read. Each process merges the partitions in its own order, so a place is a vector and not
//! a number. Invariant that makes a resume lossless and free of repeats on any node: whoever hands out a cursor
//! has delivered, or passed because it was out of scope, exactly the events below the vector. A reader that
//! resumes takes exactly the events at or above it, whatever order its own process merged them in.
//!
//! A cursor carries no rights; who may read is decided by arguments and principal each time.

use std::{fmt, str::FromStr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

/// Partitions that a cursor can hold; a topic with more cannot be followed.
pub const MAX_PARTITIONS: usize = 256;

const FORMAT: u8 = 1;
const EPOCH_BYTES: usize = 16;
/// Format, epoch, count and a ten-byte varint for each partition, in base64.
const MAX_TEXT: usize = (1 + EPOCH_BYTES + 2 + MAX_PARTITIONS * 10).div_ceil(3) * 4;

/// A place in the stream. Cheap to clone; its text form is opaque to clients.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor(Arc<Place>);

#[derive(PartialEq, Eq, Hash)]
struct Place {
    /// Nil when nothing was in the topic yet: such a cursor is judged by its offsets alone.
    epoch: Uuid,
    /// By partition number, without zeros at the end: a partition that is not named starts at 0.
    next: Box<[i64]>,
}

/// A text that is not a cursor of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Longer than any cursor.
    #[error("a cursor has at most {MAX_TEXT} characters")]
    TooLong,
    /// Not base64url, cut short, or with something behind its end.
    #[error("this is not a cursor")]
    Malformed,
    /// Written by a release with another format.
    #[error("this cursor has an unknown format")]
    UnknownFormat,
}

impl Cursor {
    /// A cursor from an epoch and each partition's next offset. Negative offsets count as 0.
    pub(crate) fn new(epoch: Uuid, next: &[i64]) -> Self {
        let used = next
            .iter()
            .rposition(|offset| *offset > 0)
            .map_or(0, |last| last + 1);
        let next = next[..used].iter().map(|offset| (*offset).max(0)).collect();
        Self(Arc::new(Place { epoch, next }))
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`CursorError`]; the work is bounded by the longest legal cursor.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        if text.len() > MAX_TEXT {
            return Err(CursorError::TooLong);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| CursorError::Malformed)?;
        let (format, rest) = bytes.split_first().ok_or(CursorError::Malformed)?;
        if *format != FORMAT {
            return Err(CursorError::UnknownFormat);
        }
        Self::decode(rest).ok_or(CursorError::Malformed)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (epoch, mut rest) = bytes.split_first_chunk::<EPOCH_BYTES>()?;
        let count = usize::try_from(take_number(&mut rest)?).ok()?;
        if count > MAX_PARTITIONS {
            return None;
        }
        let next = (0..count)
            .map(|_| take_number(&mut rest))
            .collect::<Option<Vec<i64>>>()?;
        // One place has one text: a zero at the end would be a second spelling.
        let canonical = rest.is_empty() && next.last() != Some(&0);
        canonical.then(|| Self::new(Uuid::from_bytes(*epoch), &next))
    }

    /// Which incarnation of the stream the offsets belong to; nil when unknown.
    pub(crate) fn epoch(&self) -> Uuid {
        self.0.epoch
    }

    /// The next offset to read in `partition`.
    pub(crate) fn next(&self, partition: usize) -> i64 {
        self.0.next.get(partition).copied().unwrap_or(0)
    }

    /// The next offsets of the partitions that have one above 0.
    pub(crate) fn offsets(&self) -> &[i64] {
        &self.0.next
    }

    /// Whether everything below `other` is below this cursor too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        (0..other.0.next.len()).all(|partition| self.next(partition) >= other.next(partition))
    }

    /// The later place of the two in every partition, in this cursor's epoch.
    pub(crate) fn max(&self, other: &Self) -> Self {
        let partitions = self.0.next.len().max(other.0.next.len());
        let next: Vec<i64> = (0..partitions)
            .map(|p| self.next(p).max(other.next(p)))
            .collect();
        Self::new(self.0.epoch, &next)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(32);
        bytes.push(FORMAT);
        bytes.extend_from_slice(self.0.epoch.as_bytes());
        put_number(&mut bytes, self.0.next.len() as u64);
        for offset in &self.0.next {
            put_number(&mut bytes, offset.unsigned_abs());
        }
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({}, {:?})", self.0.epoch, self.0.next)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        Self::parse(text)
    }
}

/// Appends seven bits a byte, lowest first; the high bit says that more follow.
fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Takes one number of [`put_number`]; `None` for a cut, overlong or too large one.
fn take_number(bytes: &mut &[u8]) -> Option<i64> {
    let mut number: u64 = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let overlong = shift > 0 && *byte == 0;
            return if overlong {
                None
            } else {
                i64::try_from(number).ok()
            };
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursors() -> impl Strategy<Value = Cursor> {
        let offsets = prop::collection::vec(prop_oneof![Just(0), 0..300_i64, 0..=i64::MAX], 0..9);
        (any::<u128>(), offsets)
            .prop_map(|(epoch, next)| Cursor::new(Uuid::from_u128(epoch), &next))
    }

    proptest! {
        #[test]
        fn a_cursor_survives_its_text_form(cursor in cursors()) {
            prop_assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
        }

        #[test]
        fn what_parses_has_exactly_that_text(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut framed = vec![FORMAT];
            framed.extend(bytes);
            let text = URL_SAFE_NO_PAD.encode(framed);
            if let Ok(cursor) = Cursor::parse(&text) {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }

        #[test]
        fn any_text_is_answered(text in ".{0,200}") {
            let answer = Cursor::parse(&text);
            prop_assert!(answer.is_ok() || answer.is_err());
        }

        #[test]
        fn the_later_of_two_covers_both(a in cursors(), b in cursors()) {
            let later = a.max(&b);
            prop_assert!(later.covers(&a) && later.covers(&b));
            prop_assert!(!a.covers(&b) || later.offsets() == a.offsets());
        }
    }

    #[test]
    fn hostile_texts_are_refused() {
        let endless = "A".repeat(MAX_TEXT + 1);
        assert_eq!(Cursor::parse(&endless), Err(CursorError::TooLong));
        assert_eq!(Cursor::parse(""), Err(CursorError::Malformed));
        assert_eq!(Cursor::parse("AAAA"), Err(CursorError::UnknownFormat));
        assert_eq!(Cursor::parse("%%%"), Err(CursorError::Malformed));
        let mut many = vec![FORMAT];
        many.extend([0; EPOCH_BYTES]);
        put_number(&mut many, u64::MAX >> 1);
        assert_eq!(
            Cursor::parse(&URL_SAFE_NO_PAD.encode(many)),
            Err(CursorError::Malformed)
        );
    }

    #[test]
    fn the_longest_cursor_fits_its_own_bound() {
        let cursor = Cursor::new(Uuid::max(), &[i64::MAX; MAX_PARTITIONS]);
        assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
    }
}
