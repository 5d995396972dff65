//! The pieces of a response's body, the last of which may be that it breaks off.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc::Receiver;

/// One piece. It is small, for a channel has room for many even where few may wait.
#[derive(Debug)]
pub(in crate::serve) enum Piece {
    Bytes(Box<Bytes>),
    /// The body ends here, and not by its own rules: no client takes it for whole. Source: RFC 9112, 8; RFC 9113, 8.1.
    Break,
}

impl Piece {
    pub(in crate::serve) fn of(bytes: impl Into<Bytes>) -> Self {
        Self::Bytes(Box::new(bytes.into()))
    }
}

/// The body that was broken off.
#[derive(Debug, thiserror::Error)]
#[error("the stream was broken off, to be resumed over another connection")]
pub(super) struct BrokenOff;

/// A body as it is handed over.
#[derive(Debug)]
pub(super) struct Pieces {
    taken: Receiver<Piece>,
    is_breaking: bool,
}

impl Pieces {
    pub(super) const fn new(taken: Receiver<Piece>) -> Self {
        Self {
            taken,
            is_breaking: false,
        }
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, BrokenOff>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_breaking {
            return Poll::Ready(Some(Err(BrokenOff)));
        }
        match ready!(self.taken.poll_recv(cx)) {
            None => Poll::Ready(None),
            Some(Piece::Bytes(bytes)) => Poll::Ready(Some(Ok(*bytes))),
            Some(Piece::Break) => {
                // The connection writes what it has when there is nothing more to write; at an error it throws it away.
                self.is_breaking = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};
    use tokio::sync::mpsc;

    use super::*;

    /// Meant against the error right behind the last bytes.
    #[tokio::test]
    async fn the_last_bytes_are_written_before_the_body_breaks_off() {
        let (pieces, taken) = mpsc::channel(2);
        let mut body = Pieces::new(taken);
        pieces
            .try_send(Piece::of(Bytes::from_static(b"x")))
            .unwrap();
        pieces.try_send(Piece::Break).unwrap();
        assert!(matches!(body.next().now_or_never(), Some(Some(Ok(_)))));
        assert!(body.next().now_or_never().is_none(), "time to write");
        assert!(matches!(body.next().now_or_never(), Some(Some(Err(_)))));
    }
}
