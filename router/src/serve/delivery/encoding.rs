//! What a form of stream must be able to write.

use axum::http::HeaderValue;
use bytes::Bytes;

use crate::error::RequestError;

/// One form of stream over HTTP.
pub(super) trait Encoding: Send + Sync + 'static {
    /// The header `content-type`.
    fn content_type(&self) -> HeaderValue;
    /// What comes before everything else.
    fn opening(&self) -> Bytes {
        Bytes::new()
    }
    /// What comes first where the first frame may be long in coming.
    fn opening_of_a_stream(&self) -> Bytes {
        self.opening()
    }
    /// One response.
    fn next(&self, cursor: Option<&str>, body: &[u8]) -> Bytes;
    /// A sign of life.
    fn heartbeat(&self) -> Bytes;
    /// The end, with what went wrong.
    fn end(&self, error: Option<&RequestError>) -> Bytes;
}
