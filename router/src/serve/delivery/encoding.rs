//! What a form of stream must be able to write.

use std::time::Duration;

use axum::http::HeaderValue;
use bytes::Bytes;
use schema::code::ErrorCode;

use crate::error::RequestError;

/// One form of stream over HTTP.
pub(in crate::serve) trait Encoding: Send + Sync + 'static {
    /// The header `content-type`.
    fn content_type(&self) -> HeaderValue;
    /// What comes before everything else.
    fn opening(&self) -> Bytes {
        Bytes::new()
    }
    /// What comes first where the first frame may be long in coming: the cursor of the beginning, unless it is empty, and how
    /// long to wait before connecting again.
    fn opening_of_a_stream(&self, _cursor: &str, _pause: Duration) -> Bytes {
        self.opening()
    }
    /// One response.
    fn next(&self, cursor: Option<&str>, body: &[u8]) -> Bytes;
    /// A sign of life, with the cursor that the stream has come to where it has moved on.
    fn heartbeat(&self, cursor: Option<&str>) -> Bytes;
    /// The end, with what went wrong.
    fn end(&self, error: Option<&RequestError>) -> Bytes;
    /// A refusal that says when to come back, and not that all is said.
    fn come_back(&self, error: &RequestError, _pause: Duration) -> Bytes {
        self.end(Some(error))
    }
    /// The last words before the response is broken off.
    fn break_off(&self, _code: ErrorCode, _pause: Duration) -> Bytes {
        Bytes::new()
    }
}
