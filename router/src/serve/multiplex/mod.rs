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

/// The client has gone: nothing can be said to it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// Where a connection's operations say what comes of them, each by its id.
///
/// What is said waits until there is room for it, so the connection's pace is that of its operations. A future that is dropped
/// has said nothing.
pub(super) trait Voice: Clone + Send + Sync + 'static {
    /// The name of an operation's span.
    const SPAN: &'static str;
    /// Says one response; the body is a GraphQL response and goes out as it is.
    fn next(&self, id: &str, body: &[u8]) -> impl Future<Output = Result<(), Gone>> + Send;
    /// Says an error, which also ends the operation.
    fn error(
        &self,
        id: &str,
        error: &RequestError,
    ) -> impl Future<Output = Result<(), Gone>> + Send;
    /// Says the end.
    fn complete(&self, id: &str) -> impl Future<Output = Result<(), Gone>> + Send;
    /// Says the place that a quiet stream has come to, where the protocol has a word for it and there is room.
    fn place(&self, id: &str, cursor: &str);
}
