//! What a session of several streams writes into its one response.

use bytes::Bytes;

/// One piece. It is small, for a channel has room for many even where few may wait.
#[derive(Debug)]
pub(in crate::serve) enum Piece {
    Bytes(Box<Bytes>),
    /// The body breaks off here.
    Break,
}

impl Piece {
    pub(in crate::serve) fn of(bytes: impl Into<Bytes>) -> Self {
        Self::Bytes(Box::new(bytes.into()))
    }
}
