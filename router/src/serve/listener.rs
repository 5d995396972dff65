//! The sockets of the client listener: a bound on how many, and on how long one may take nothing.
//!
//! A client that does not read blocks its connection's writes; hyper would wait for it for ever, and keep the stream's
//! memory. Invariant: a write that makes no progress for the limit fails, and its connection is gone.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Router, extract::connect_info::Connected, serve::IncomingStream};
use chassis::tasks::Tasks;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep},
};
use tokio_util::sync::CancellationToken;

/// The address at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Accepts connections, at most so many at once; more wait in the kernel's queue.
#[derive(Debug)]
pub(crate) struct Listener {
    inner: TcpListener,
    slots: Arc<Semaphore>,
    stall_timeout: Duration,
}

/// A connection whose writes must make progress.
#[derive(Debug)]
pub(crate) struct Guarded {
    inner: TcpStream,
    stall_timeout: Duration,
    /// Set while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
    _slot: OwnedSemaphorePermit,
}

impl Listener {
    /// Guards a bound listener.
    pub(crate) fn new(inner: TcpListener, connections_max: usize, stall_timeout: Duration) -> Self {
        let slots = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
        Self {
            inner,
            slots,
            stall_timeout,
        }
    }
}

/// Serves until `stop`, then finishes what is in flight, for at most `linger`.
pub(crate) fn serve(
    listener: Listener,
    router: Router,
    stop: CancellationToken,
    linger: Duration,
    tasks: &Tasks,
) {
    let service = router.into_make_service_with_connect_info::<Peer>();
    let _task = tasks.spawn("router listener", async move {
        let draining = stop.clone().cancelled_owned();
        let served = axum::serve(listener, service).with_graceful_shutdown(draining);
        let cut = async {
            stop.cancelled().await;
            tokio::time::sleep(linger).await;
        };
        tokio::select! {
            served = served => {
                if let Err(error) = served {
                    tracing::error!(%error, "router listener failed");
                }
            }
            () = cut => tracing::warn!("connections cut after the drain"),
        }
    });
}

impl axum::serve::Listener for Listener {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
        let slot = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        // axum's own accept retries when the process is short of file descriptors.
        let (inner, address) = axum::serve::Listener::accept(&mut self.inner).await;
        if let Err(error) = inner.set_nodelay(true) {
            tracing::debug!(%error, "set_nodelay");
        }
        let guarded = Guarded {
            inner,
            stall_timeout: self.stall_timeout,
            stalled: None,
            _slot: slot,
        };
        (guarded, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Guarded {
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
        let limit = self.stall_timeout;
        let sleep = || Box::pin(tokio::time::sleep_until(Instant::now() + limit));
        ready!(self.stalled.get_or_insert_with(sleep).as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client takes nothing",
        )))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.guard(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.guard(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Seen red with `guard` returning the pending write.
    #[tokio::test]
    async fn a_client_that_takes_nothing_loses_its_connection() {
        let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = inner.local_addr().unwrap();
        let mut listener = Listener::new(inner, 1, Duration::from_millis(50));
        let _client = TcpStream::connect(address).await.unwrap();
        let (mut socket, _) = axum::serve::Listener::accept(&mut listener).await;
        let chunk = vec![0; 1024 * 1024];
        let stalls = async { while socket.write_all(&chunk).await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(20), stalls)
            .await
            .expect("cut in time");
    }
}
