//! Several operations at once over one connection, which says of each what comes of it.
//!
//! `operations` starts and stops them, `operation` is one of them. The connection is a WebSocket or an event stream; what it
//! writes is its own affair.

mod operation;
mod operations;

pub(super) use operation::{Operation, too_many};
pub(super) use operations::{Ended, NotStarted, Operations};

use crate::error::RequestError;

/// The longest id of an operation, in bytes.
pub(super) const ID_MAX: usize = 255;

/// What a connection writes of the operation with an id.
pub(super) trait Said: Send + 'static {
    /// The name of an operation's span.
    const SPAN: &'static str;
    /// One response; the body is a GraphQL response and goes out as it is.
    fn next(id: &str, body: &[u8]) -> Self;
    /// An error, which also ends the operation.
    fn error(id: &str, error: &RequestError) -> Self;
    /// The end.
    fn complete(id: &str) -> Self;
    /// The place that a quiet stream has come to; `None` where the protocol has no word for it.
    fn place(id: &str, cursor: &str) -> Option<Self>
    where
        Self: Sized;
}
