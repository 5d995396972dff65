//! A connection's socket: reads end at the deadline of the connection's state, writes must make progress.
//!
//! Invariant: no state of [`Connection`] outlives its deadline while its owner reads, as HTTP servers do whenever no
//! request is in flight; a write that makes no progress for `write_timeout` fails.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use super::{
    config::Config,
    connection::Connection,
    metrics::{self, Reason},
    registry::Slot,
};

/// What a client of HTTP/2 sends first. Source: RFC 9113, 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The last words to a client whose head took too long. Source: RFC 9110, 15.5.9.
const TOO_LATE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The socket of one connection, which its task takes back when the library that reads from it has ended.
pub(super) type Shared = Arc<Mutex<Held>>;

/// A socket and its place.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) stream: TcpStream,
    pub(super) _slot: Slot,
}

/// How the socket is read and written.
#[derive(Debug)]
pub(super) struct Socket {
    inner: Shared,
    connection: Arc<Connection>,
    config: Arc<Config>,
    /// How much of the preface has come; nothing when it is another protocol, or all has come.
    preface: Option<usize>,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Set while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
    write_timeout: Duration,
}

impl Socket {
    pub(super) fn new(inner: Shared, connection: Arc<Connection>, config: Arc<Config>) -> Self {
        let write_timeout = config.write_timeout;
        Self {
            inner,
            connection,
            config,
            preface: Some(0),
            deadline: None,
            stalled: None,
            write_timeout,
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if let Some(seen) = self.preface {
            let rest = PREFACE.get(seen..).unwrap_or_default();
            let count = rest.len().min(bytes.len());
            self.preface = (rest.get(..count) == bytes.get(..count)).then_some(seen + count);
        }
        if self.preface == Some(PREFACE.len()) {
            self.preface = None;
            self.connection.speaks_http2();
        }
        self.connection.received();
    }

    /// Ends when the connection's state has lasted too long.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(due) = self.connection.look_again(&self.config) else {
                self.deadline = None;
                return Poll::Pending;
            };
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            let sleep = self
                .deadline
                .get_or_insert_with(|| Box::pin(sleep_until(due)));
            // A later deadline needs no new timer: the old one wakes us, and we look again. So whoever ends a state wakes nobody.
            if sleep.deadline() > due || sleep.is_elapsed() {
                sleep.as_mut().reset(due);
            }
            ready!(sleep.as_mut().poll(cx));
        }
    }

    /// Ends a connection whose state has lasted too long; the reader sees the end of its input.
    fn expire(&self) {
        let is_head = !self.connection.is_http2() && self.connection.is_in_head();
        let is_new = self.connection.is_new();
        if is_head {
            // Whoever takes a minute for a head may as well miss this.
            let _is_written = self.inner.lock().stream.try_write(TOO_LATE).is_ok();
        }
        let reason = if is_head || is_new {
            Reason::HeaderTimeout
        } else {
            Reason::Idle
        };
        metrics::cut(self.connection.listener, reason);
    }

    /// Lets a finished write through; times one that waits.
    fn guard<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.write_timeout;
        let sleep = || Box::pin(sleep_until(Instant::now() + limit));
        ready!(self.stalled.get_or_insert_with(sleep).as_mut().poll(cx));
        metrics::cut(self.connection.listener, Reason::WriteTimeout);
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client takes nothing",
        )))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner.lock().stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.received(buffer.filled().get(before..).unwrap_or_default());
            return read;
        }
        ready!(self.poll_deadline(cx));
        if self.connection.is_http2() && !self.connection.is_closing() {
            // Its task says goodbye, as HTTP/2 wants it, and ends it.
            metrics::cut(self.connection.listener, Reason::Idle);
            self.connection.close();
            return Poll::Pending;
        }
        if !self.connection.is_closing() {
            self.expire();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner.lock().stream).poll_write(cx, bytes);
        self.guard(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner.lock().stream).poll_write_vectored(cx, slices);
        self.guard(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.lock().stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner.lock().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner.lock().stream).poll_shutdown(cx)
    }
}
