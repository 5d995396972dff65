//! What one frame of a subscription is, before a transport writes it down, and how a stream ends.
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

/// How a stream ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    /// Nothing follows.
    Complete,
    /// It was refused, and would be again.
    Refused(RequestError),
    /// It stopped before its end: the client goes on behind its last cursor, over another connection. Clients take an error or
    /// a completion for the end, so a transport breaks off instead of saying either.
    Interrupted(Interruption),
}

/// Why a stream stopped before its end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Interruption {
    /// The reason, with the cursor in its extensions.
    pub(crate) error: RequestError,
    /// From where the client can resume; empty in a stream that has no cursors.
    pub(crate) cursor: String,
}

impl End {
    /// A stream that stops, although there is more to say.
    pub(crate) fn interrupted(code: ErrorCode, cursor: &str) -> Self {
        Self::before_a_frame(RequestError::masked(code), cursor)
    }

    /// An end because the next frame cannot be made, with the cursor before it.
    pub(crate) fn before_a_frame(error: RequestError, cursor: &str) -> Self {
        let error = if cursor.is_empty() {
            error
        } else {
            error.with("cursor", cursor)
        };
        // A new token makes the same stream possible again.
        if error.code().retryable() || error.code() == ErrorCode::TokenExpired {
            let cursor = cursor.to_owned();
            return Self::Interrupted(Interruption { error, cursor });
        }
        Self::Refused(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_interrupts_and_what_stays_refuses() {
        use ErrorCode::{
            DeadlineExceeded, Overloaded, RateLimited, ServerDraining, SlowConsumer, TokenExpired,
            Unavailable,
        };
        for code in [
            ServerDraining,
            TokenExpired,
            SlowConsumer,
            Unavailable,
            Overloaded,
            RateLimited,
            DeadlineExceeded,
        ] {
            let end = End::interrupted(code, "c1");
            assert!(
                matches!(&end, End::Interrupted(why) if why.cursor == "c1" && why.error.code() == code),
                "{end:?}"
            );
        }
        for code in [ErrorCode::Forbidden, ErrorCode::GraphqlValidationFailed] {
            assert!(matches!(End::interrupted(code, "c1"), End::Refused(_)));
        }
    }
}
