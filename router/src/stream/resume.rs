//! The cursor as clients hold it, and where a client may put it.
//!
//! To the log's own cursor the router adds, after a SNAPSHOT, which version the snapshot showed:
//! `<cursor>.<order>-<version>`. The log's end is taken before the snapshot is read, so an event that the snapshot
//! already shows may lie behind the cursor; the mark makes a client that resumes right there skip it too.
//! Invariant: a cursor that cannot be read is refused; one that reads but is not of this stream is a GAP.

use std::fmt;

use order_stream::Cursor;
use schema::{code::ErrorCode, event::OrderEvent, id::OrderId};
use serde_json::{Map, Value};

use crate::error::RequestError;

/// Where a transport found cursors, besides the argument `after`.
#[derive(Debug, Clone, Default)]
pub struct ResumeHints {
    /// SSE's header `Last-Event-ID`.
    pub last_event_id: Option<String>,
    /// `extensions.resume` of the request.
    pub extension: Option<String>,
}

/// A version that the client has seen in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) order: OrderId,
    pub(super) version: u32,
}

/// A place to go on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) cursor: Cursor,
    pub(super) seen: Option<Seen>,
}

impl ResumeHints {
    /// Takes `extensions.resume` out of a request's extensions.
    #[must_use]
    pub fn with_extensions(mut self, extensions: &Map<String, Value>) -> Self {
        let resume = extensions.get("resume").and_then(Value::as_str);
        self.extension = resume.filter(|text| !text.is_empty()).map(str::to_owned);
        self
    }

    /// The first of argument, `Last-Event-ID` and `extensions.resume`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when it is not a cursor.
    pub(super) fn place(&self, after: Option<&str>) -> Result<Option<Place>, RequestError> {
        let last = self.last_event_id.as_deref();
        let first = after.or(last).or(self.extension.as_deref());
        first.map(Place::parse).transpose()
    }
}

impl Place {
    fn parse(text: &str) -> Result<Self, RequestError> {
        let (cursor, seen) = match text.split_once('.') {
            None => (text, None),
            Some((cursor, seen)) => (cursor, Some(Seen::parse(seen).ok_or_else(not_a_cursor)?)),
        };
        let cursor = cursor.parse().map_err(|_| not_a_cursor())?;
        Ok(Self { cursor, seen })
    }
}

impl Seen {
    fn parse(text: &str) -> Option<Self> {
        let (order, version) = text.split_once('-')?;
        Some(Self {
            order: order.parse().ok()?,
            version: version.parse().ok()?,
        })
    }

    /// Whether the client knows this event from its snapshot.
    pub(super) fn covers(self, event: &OrderEvent) -> bool {
        event.order_id == self.order && event.version <= self.version
    }

    /// Whether no later event of the stream can be one that the snapshot showed: versions only grow.
    pub(super) fn is_passed_by(self, event: &OrderEvent) -> bool {
        event.order_id == self.order && event.version > self.version
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cursor)?;
        match self.seen {
            None => Ok(()),
            Some(seen) => write!(f, ".{}-{}", seen.order, seen.version),
        }
    }
}

fn not_a_cursor() -> RequestError {
    RequestError::new(
        ErrorCode::InvalidArgument,
        "after is not a cursor of this stream",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    // Format 1, the nil epoch, no partition: the start of an empty topic.
    const START: &str = "AQAAAAAAAAAAAAAAAAAAAAAA";

    fn hints(last: Option<&str>, extension: Option<&str>) -> ResumeHints {
        let own = |text: Option<&str>| text.map(str::to_owned);
        ResumeHints {
            last_event_id: own(last),
            extension: own(extension),
        }
    }

    #[test]
    fn the_argument_comes_before_the_header_before_the_extension() {
        let marked = |version: u32| format!("{START}.7-{version}");
        let (one, two, three) = (marked(1), marked(2), marked(3));
        let all = hints(Some(&two), Some(&three));
        let version = |place: Option<Place>| place.and_then(|place| place.seen).map(|s| s.version);
        assert_eq!(version(all.place(Some(&one)).unwrap()), Some(1));
        assert_eq!(version(all.place(None).unwrap()), Some(2));
        assert_eq!(
            version(hints(None, Some(&three)).place(None).unwrap()),
            Some(3)
        );
        assert_eq!(hints(None, None).place(None).unwrap(), None);
    }

    #[test]
    fn a_text_that_is_no_cursor_is_refused() {
        for text in [
            "",
            "x",
            "%",
            &format!("{START}."),
            &format!("{START}.7"),
            &format!("{START}.0-1"),
        ] {
            let refused = hints(None, None).place(Some(text)).expect_err(text);
            assert_eq!(refused.code(), ErrorCode::InvalidArgument);
        }
    }

    #[test]
    fn a_place_survives_its_text_form() {
        let text = format!("{START}.7-3");
        assert_eq!(Place::parse(&text).unwrap().to_string(), text);
    }
}
