//! Where a client may put the cursor that it resumes from; what a cursor says is `order_stream`'s affair.
//!
//! Invariant: a text that is not a cursor is refused; a cursor of another stream is a GAP.

pub(super) use order_stream::{ResumePoint, Seen};
use schema::code::ErrorCode;
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
            .map(|text| text.parse().map_err(|_| not_a_cursor()))
            .transpose()
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
