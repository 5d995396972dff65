//! A connection over HTTP/1.1 that is driven by whoever exchanges something on it.
//!
//! The library's connection is a future that must be polled for anything to move. In a task of its own it is woken for each
//! request and wakes who asked for each response, mostly on another processor. Here request, connection and response are
//! polled in one task, the one that asks: what the halves of the library tell one another makes a turn of a loop and wakes
//! nobody, and only the socket wakes the task.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use futures::future::{FutureExt as _, poll_fn};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;

type Connection = http1::Connection<Socket, Full<Bytes>>;

/// A connection that nothing moves but [`Driven::drive`].
pub(super) struct Driven {
    sender: SendRequest<Full<Bytes>>,
    /// Absent once it has ended.
    connection: Option<Pin<Box<Connection>>>,
    turn: Arc<Turn>,
    /// Wakes the turn.
    waker: Waker,
}

/// What is woken when a half of the library has something for the other.
struct Turn {
    /// Another turn of the loop is due.
    is_due: AtomicBool,
    /// The task that drives, which the socket wakes.
    task: Mutex<Waker>,
}

/// A socket that wakes the task itself.
struct Socket {
    stream: TokioIo<TcpStream>,
    turn: Arc<Turn>,
}

impl Driven {
    /// Speaks HTTP/1.1 on a stream.
    ///
    /// # Errors
    /// As the library.
    pub(super) async fn new(stream: TokioIo<TcpStream>) -> hyper::Result<Self> {
        let turn = Arc::new(Turn {
            is_due: AtomicBool::new(false),
            task: Mutex::new(Waker::noop().clone()),
        });
        let socket = Socket {
            stream,
            turn: turn.clone(),
        };
        let (sender, connection) = http1::handshake(socket).await?;
        Ok(Self {
            sender,
            connection: Some(Box::pin(connection)),
            waker: turn.clone().into(),
            turn,
        })
    }

    /// Sends a request; the response's body is to be read by [`Driven::drive`] too.
    ///
    /// # Errors
    /// As the library, with the request where nothing of it was sent.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        let response = self.sender.try_send_request(request);
        self.drive(response).await
    }

    /// Moves the connection and the future until the latter is ready: one that waits for a connection that has ended is told so
    /// by the library.
    pub(super) async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        poll_fn(|task| {
            self.turn.is_driven_by(task.waker());
            let mut turn = Context::from_waker(&self.waker);
            loop {
                self.turn.is_due.store(false, Ordering::Relaxed);
                if let Some(connection) = &mut self.connection
                    && connection.as_mut().poll(&mut turn).is_ready()
                {
                    self.connection = None;
                }
                let polled = future.as_mut().poll(&mut turn);
                if polled.is_ready() || !self.turn.is_due.load(Ordering::Relaxed) {
                    return polled;
                }
            }
        })
        .await
    }

    /// Whether another request can be sent at once.
    pub(super) fn is_ready(&mut self) -> bool {
        // Moved once: what has been read to its end is told to the library, and a side that has closed is seen.
        self.drive(async {}).now_or_never();
        self.connection.is_some() && self.sender.is_ready()
    }
}

impl Turn {
    fn is_driven_by(&self, task: &Waker) {
        self.task.lock().clone_from(task);
    }

    fn task(&self) -> Waker {
        self.task.lock().clone()
    }
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_due.store(true, Ordering::Relaxed);
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let task = self.turn.task();
        Pin::new(&mut self.stream).poll_read(&mut Context::from_waker(&task), buffer)
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let task = self.turn.task();
        Pin::new(&mut self.stream).poll_write(&mut Context::from_waker(&task), bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let task = self.turn.task();
        Pin::new(&mut self.stream).poll_write_vectored(&mut Context::from_waker(&task), slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let task = self.turn.task();
        Pin::new(&mut self.stream).poll_flush(&mut Context::from_waker(&task))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let task = self.turn.task();
        Pin::new(&mut self.stream).poll_shutdown(&mut Context::from_waker(&task))
    }
}
