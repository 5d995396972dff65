//! The cursor as clients hold it, and where a client may put it.
//!
//! To the log's own cursor the router adds, after a SNAPSHOT, which version the snapshot showed:
//! `<cursor>.<order>-<version>`. The log's end is taken before the snapshot is read, so an event that the snapshot
//! already shows may lie behind the cursor; the mark makes a client that resumes right there skip it too. Before the
//! SNAPSHOT was sent the version is 0: whoever resumes there gets one. A place that was given before anything was asked for
//! is marked `<cursor>.0`: of no order anything was shown.
//! Invariant: a text that is not a cursor is refused; a cursor of another stream is a GAP.

use std::fmt;

use order_stream::Cursor;
use schema::{code::ErrorCode, event::OrderEvent, id::OrderId};
use serde_json::{Map, Value};

use crate::error::RequestError;

/// Where a transport found cursors, besides the argument `after`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResumeHints {
    /// SSE's header `Last-Event-ID`.
    pub(crate) last_event_id: Option<String>,
    /// `extensions.resume` of the request.
    pub(crate) extension: Option<String>,
}

/// A version that the client has seen in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) order: OrderId,
    pub(super) version: u32,
}

/// Where a stream resumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResumePoint {
    pub(super) cursor: Cursor,
    pub(super) seen: Option<Seen>,
    /// Whether it is before the first frame of any stream.
    before_anything: bool,
}

/// The mark of such a place.
const BEFORE_ANYTHING: &str = "0";

impl ResumeHints {
    /// Reads `extensions.resume` of a request.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when it is neither a text nor null: a stream never begins "now" because its client's cursor could
    /// not be read.
    pub(crate) fn with_extensions(
        mut self,
        extensions: &Map<String, Value>,
    ) -> Result<Self, RequestError> {
        self.extension = match extensions.get("resume") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                let message = "extensions.resume must be a cursor, as text";
                return Err(RequestError::new(ErrorCode::InvalidArgument, message));
            }
        };
        Ok(self)
    }

    /// Whether the transport found a cursor.
    pub(crate) const fn is_some(&self) -> bool {
        self.last_event_id.is_some() || self.extension.is_some()
    }

    /// The newest: `Last-Event-ID`, which a client that reconnects adds to its first request, then `extensions.resume`,
    /// then the argument.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when it is not a cursor.
    pub(super) fn resume_point(
        &self,
        after: Option<&str>,
    ) -> Result<Option<ResumePoint>, RequestError> {
        let newest = self.last_event_id.as_deref();
        newest
            .or(self.extension.as_deref())
            .or(after)
            .map(ResumePoint::parse)
            .transpose()
    }
}

impl ResumePoint {
    pub(super) const fn new(cursor: Cursor, seen: Option<Seen>) -> Self {
        Self {
            cursor,
            seen,
            before_anything: false,
        }
    }

    /// A place for a client that has asked for nothing yet.
    pub(super) const fn before_anything(cursor: Cursor) -> Self {
        Self {
            cursor,
            seen: None,
            before_anything: true,
        }
    }

    /// Whether a client that resumes here has seen nothing of the order, not even its first frame.
    pub(super) fn shows_nothing_of(&self, order: OrderId) -> bool {
        self.before_anything || self.seen == Some(Seen::nothing(order))
    }

    fn parse(text: &str) -> Result<Self, RequestError> {
        let (cursor, mark) = match text.split_once('.') {
            None => (text, None),
            Some((cursor, mark)) => (cursor, Some(mark)),
        };
        let cursor = cursor.parse().map_err(|_| not_a_cursor())?;
        if mark == Some(BEFORE_ANYTHING) {
            return Ok(Self::before_anything(cursor));
        }
        let seen = mark.map(|mark| Seen::parse(mark).ok_or_else(not_a_cursor));
        Ok(Self::new(cursor, seen.transpose()?))
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

    /// That nothing of the order was shown yet.
    pub(super) const fn nothing(order: OrderId) -> Self {
        Self { order, version: 0 }
    }

    /// Whether the snapshot has shown this event.
    pub(super) fn covers(self, event: &OrderEvent) -> bool {
        event.order_id == self.order && event.version <= self.version
    }

    /// Whether no later event of the stream can be one that the snapshot showed: versions only grow.
    pub(super) fn is_passed_by(self, event: &OrderEvent) -> bool {
        event.order_id == self.order && event.version > self.version
    }
}

impl fmt::Display for ResumePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cursor)?;
        if let Some(seen) = self.seen {
            write!(f, ".{}-{}", seen.order, seen.version)?;
        } else if self.before_anything {
            write!(f, ".{BEFORE_ANYTHING}")?;
        }
        Ok(())
    }
}

fn not_a_cursor() -> RequestError {
    RequestError::new(
        ErrorCode::InvalidArgument,
        "what is to be resumed from is not a cursor of this stream",
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
    fn the_header_comes_before_the_extension_before_the_argument() {
        let marked = |version: u32| format!("{START}.7-{version}");
        let (one, two, three) = (marked(1), marked(2), marked(3));
        let all = hints(Some(&two), Some(&three));
        let version =
            |point: Option<ResumePoint>| point.and_then(|point| point.seen).map(|s| s.version);
        assert_eq!(version(all.resume_point(Some(&one)).unwrap()), Some(2));
        let extended = hints(None, Some(&three));
        assert_eq!(version(extended.resume_point(Some(&one)).unwrap()), Some(3));
        let bare = hints(None, None);
        assert_eq!(version(bare.resume_point(Some(&one)).unwrap()), Some(1));
        assert_eq!(hints(None, None).resume_point(None).unwrap(), None);
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
            &format!("{START}.1"),
        ] {
            let refused = hints(None, None).resume_point(Some(text)).expect_err(text);
            assert_eq!(refused.code(), ErrorCode::InvalidArgument);
        }
    }

    #[test]
    fn a_place_survives_its_text_form() {
        for mark in ["", ".7-3", ".7-0", ".0"] {
            let text = format!("{START}{mark}");
            assert_eq!(ResumePoint::parse(&text).unwrap().to_string(), text);
        }
    }

    /// Meant against the extension passed over where it is no text: the stream began "now".
    #[test]
    fn what_is_in_the_place_of_a_cursor_is_never_passed_over() {
        let read = |resume: Value| {
            let extensions = Map::from_iter([("resume".to_owned(), resume)]);
            ResumeHints::default().with_extensions(&extensions)
        };
        for wrong in [Value::from(7), Value::from(true), Value::Array(vec![])] {
            assert_eq!(read(wrong).unwrap_err().code(), ErrorCode::InvalidArgument);
        }
        let empty = read(Value::from("")).unwrap();
        assert!(empty.resume_point(None).is_err());
        assert!(!read(Value::Null).unwrap().is_some());
    }
}
