//! What one frame of a subscription is, before a transport writes it down.
//!
//! Invariant: a frame's cursor appears three times, each the same: the field `cursor`, `extensions.cursor`, and the id
//! that the transport gives the frame (SSE's `id:`).

use bytes::Bytes;
use schema::code::ErrorCode;

use crate::error::RequestError;

/// One response of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The cursor just behind this frame; empty in a stream that has none.
    pub(crate) cursor: String,
    /// A GraphQL response with `extensions.cursor`.
    pub(crate) body: Bytes,
}

/// Why a stream ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End {
    /// What the client reads before `complete`; `None` when nothing went wrong.
    pub(crate) error: Option<RequestError>,
}

impl End {
    /// The end of something that has an end, such as a query.
    pub(crate) const COMPLETE: Self = Self { error: None };

    /// An end that the client did not ask for, with the cursor from which it can resume.
    pub(crate) fn resumable(code: ErrorCode, cursor: &str) -> Self {
        Self::before_a_frame(RequestError::masked(code), cursor)
    }

    /// An end because the next frame cannot be made, with the cursor before it.
    pub(crate) fn before_a_frame(error: RequestError, cursor: &str) -> Self {
        if cursor.is_empty() {
            return Self::refused(error);
        }
        Self::refused(error.with("cursor", cursor))
    }

    /// An end by a refusal.
    pub(crate) const fn refused(error: RequestError) -> Self {
        Self { error: Some(error) }
    }
}
